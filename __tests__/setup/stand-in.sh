#!/usr/bin/env bash
# Stands in for az, gh and sleep, by whichever name it is run: asks the test (services.ts) what the real one would say.
exec 3<>"/dev/tcp/127.0.0.1/$STAND_IN_PORT"
printf '%s\0' "$(($# + 1))" "${0##*/}" "$@" >&3
IFS= read -r code <&3
IFS= read -r out <&3
IFS= read -r err <&3
printf %b "$out"
printf %b "$err" >&2
exit "$code"
