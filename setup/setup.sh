#!/usr/bin/env bash
#
# Prepares a tenant and a repository for the steps upload, check and create: `setup.sh --help`.
#
# It needs bash 3.2 or later, the Azure CLI (az) and the GitHub CLI (gh), and handles no secret. What is there already is
# kept, so it may be run again. It reads first, shows what it will do, and then does it: `prepare` runs twice, once to
# plan and once to apply, so that both follow the same path.
#
# API connectors are not listed here: the Azure CLI's own sign-in may not read them. The check step does that.
set -euo pipefail

# Git Bash on Windows would rewrite /subscriptions/… into a path of this computer.
export MSYS_NO_PATHCONV=1

readonly GRAPH_APP_ID=00000003-0000-0000-c000-000000000000
readonly KEY_VAULT_SECRETS_USER=4633458b-17de-408a-b874-0445c86b69e6 # the role's ID, the same in every tenant
readonly MAX_CREDENTIALS=20                                          # federated credentials of one application
# What was just made takes seconds to be known to every replica of the directory. Seconds between the tries, 61 in all.
readonly WAITS='1 2 3 5 10 10 10 10 10'
readonly GUID='^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
readonly NOT_KNOWN_YET='does not exist|ResourceNotFound|Not Found|not reference a valid application|NoBackingApplicationObject|PrincipalNotFound|ConcurrencyViolation|Too Many Requests|Service Unavailable|Bad Gateway|Gateway Time'
# What helps if something may not even be read.
readonly MAY_NOT_READ='You need a role that may read applications in this tenant, such as Directory Readers. A guest has none by default.'
readonly DENIED='Insufficient privileges|Authorization_RequestDenied|AuthorizationFailed|does not have authorization|Forbidden'

usage() {
  cat <<'HELP'
Prepares a tenant and a repository for upload-api-connector-certificate.

  setup.sh --tenant TENANT --repo OWNER/REPO [options]

  --tenant TENANT      the tenant that owns the API connectors: its ID or a domain
  --repo OWNER/REPO    the repository with the workflow (HOST/OWNER/REPO if it is not on github.com)
  --environment NAME   the GitHub environment of the job (default: production)
  --branch NAME        no environment; the job runs on this branch. For private repositories of GitHub Free,
                       which have no environments
  --read-only          prepares a second application for the check step, with APIConnectors.Read.All and the variable
                       CHECK_CLIENT_ID. Without --environment or --branch, its job runs on the default branch without
                       an environment, so that a scheduled run waits for no approval.
                       That this permission is enough is likely, but not documented.
  --key-vault VAULT    lets the application read the secrets of this key vault: its name, or
                       https://VAULT.vault.azure.net/certificates/NAME, which sets KEY_VAULT_CERTIFICATE as well
  --vault-tenant ID    the tenant of the vault, if it is another one (a B2C tenant holds no vaults). A second application
                       is made there, with the variable KEY_VAULT_CLIENT_ID
  --cloud CLOUD        global (default) or china
  --what-if            shows what would be done, and changes nothing
  --yes                does not ask before the first change; without a terminal nothing is asked either

If the defaults do not fit:
  --name NAME          the application's display name
  --client-id ID       an application of yours to prepare, instead of one that is found by its name
  --issuer URL         the issuer of GitHub's ID tokens, if your enterprise has one of its own
  --subject SUBJECT    the subject that GitHub presents, if it cannot be derived

Sign in before: gh auth login, and az login --tenant TENANT --allow-no-subscriptions.
HELP
}

# --- Talking to the person, to az and to gh -----------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }

# fail CAUSE [LINE]...: the cause, then what helps, a line each. Lines may be empty, if a program said nothing.
fail() {
  local line
  printf '\nerror: %s\n' "$1" >&2
  shift
  for line in "$@"; do
    if [ -n "$line" ]; then printf '  %s\n' "$line" >&2; fi
  done
  exit 1
}

misused() { fail "$1" 'setup.sh --help shows the options.'; }

# call COMMAND...: its output in OUT, what it said on standard error in ERR; the exit code is the command's.
call() {
  local code=0 cr=$'\r'
  OUT=$("$@" 2>"$SCRATCH/stderr" </dev/null) || code=$?
  ERR=$(<"$SCRATCH/stderr")
  # On Windows, lines end in a carriage return as well.
  if [[ $OUT$ERR == *"$cr"* ]]; then OUT=$(printf %s "${OUT//$cr/}") ERR=$(printf %s "${ERR//$cr/}"); fi
  return "$code"
}

# azure ARGUMENT...: the answer as tab-separated values.
azure() { call az "$@" --only-show-errors --output tsv; }

# says PATTERN: whether it stands in ERR, in whatever case. In a subshell, so that the option ends with it.
says() (
  shopt -s nocasematch
  [[ $ERR =~ $1 ]]
)

# try DOING LINES ARGUMENT...: az, or the end, with what helps. LINES is said if the right to do it is missing; '' is for
# reading in the directory.
try() {
  local doing=$1 rights=$2
  shift 2
  azure "$@" || stop_for_azure "$doing" "$rights"
}

# Like `try`, but what was just made may not be known yet.
try_until_known() {
  local doing=$1 rights=$2 wait
  shift 2
  for wait in $WAITS; do
    azure "$@" && return
    # Made by an earlier try whose answer said otherwise, or by somebody else in this moment.
    says 'already exists|already in use' && return
    says "$NOT_KNOWN_YET" || stop_for_azure "$doing" "$rights"
    say "  … not known everywhere yet; again in $wait s"
    sleep "$wait"
  done
  azure "$@" || stop_for_azure "$doing" "$rights"
}

# What an error of az means, from what it says.
stop_for_azure() {
  local doing=$1 rights=$2 said
  said=$(printf '%s\n' "$ERR" | sed -e 's/^ERROR: //' -e '/^$/d' | tail -n 3)
  if says 'az login|AADSTS(50076|50078|50079|50132|50173|70043|700082|530003)|refresh token|interaction_required'; then
    fail "$doing: the Azure CLI is not signed in, or its sign-in has expired." 'Sign in, and run this again:' "  $(login_command "$USED_TENANT")"
  fi
  if says 'misspelled or not recognized|unrecognized arguments|invalid choice'; then
    fail "$doing: this Azure CLI is too old for it." "$said" 'Update it, and run this again: az upgrade'
  fi
  if says 'Max retries exceeded|Connection aborted|Name or service not known|getaddrinfo|timed out|CERTIFICATE_VERIFY_FAILED'; then
    fail "$doing: the service cannot be reached." "$said" 'Check the network. Behind a proxy: HTTPS_PROXY, and REQUESTS_CA_BUNDLE if it opens TLS.'
  fi
  if says "$DENIED"; then fail "$doing: you may not do that." "$said" "${rights:-$MAY_NOT_READ}"; fi
  fail "$doing: this failed." "$said" 'What was done so far is kept; run this again once the cause is gone.'
}

# What an error of gh means.
stop_for_github() {
  local doing=$1 said
  said=$(printf '%s\n' "$ERR" | sed -e 's/^gh: //' -e '/^$/d' | tail -n 3)
  if says 'gh auth login|HTTP 401|Bad credentials'; then
    fail "$doing: the GitHub CLI is not signed in." 'Sign in, and run this again:' "  gh auth login --hostname $HOST"
  fi
  if says 'unknown flag|unknown command'; then
    fail "$doing: this GitHub CLI is too old for it." "$said" 'Update it: https://cli.github.com'
  fi
  if says 'error connecting|dial tcp|no such host|x509|timeout'; then
    fail "$doing: GitHub cannot be reached." "$said" 'Check the network, and HTTPS_PROXY behind a proxy.'
  fi
  if says 'HTTP 403|HTTP 404|not accessible'; then
    fail "$doing: you may not do that, or it does not exist." "$said" \
      "You need to be an administrator of $REPO. The account in use: gh auth status" \
      'A fine-grained token needs the permissions Actions (read), Administration, Environments and Variables (write).'
  fi
  fail "$doing: this failed." "$said" 'What was done so far is kept; run this again once the cause is gone.'
}

login_command() {
  if [ "$CLOUD" = china ]; then printf 'az cloud set --name AzureChinaCloud && '; fi
  printf 'az login --tenant %s --allow-no-subscriptions' "$1"
}

# --- What was asked for -------------------------------------------------------------------------------------------------

read_options() {
  TENANT='' REPO='' ENVIRONMENT='' BRANCH='' READ_ONLY=false VAULT='' VAULT_TENANT='' CLOUD=global
  WHAT_IF=false YES=false NAME='' CLIENT_ID='' ISSUER='' SUBJECT=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage && exit 0 ;;
      --read-only) READ_ONLY=true ;;
      --what-if) WHAT_IF=true ;;
      --yes) YES=true ;;
      --*=*)
        local option=${1%%=*} value=${1#*=}
        shift
        set -- "$option" "$value" "$@"
        continue
        ;;
      --tenant | --repo | --environment | --branch | --key-vault | --vault-tenant | --cloud | --name | --client-id | --issuer | --subject)
        if [ $# -lt 2 ] || [ -z "$2" ]; then misused "$1 needs a value."; fi
        set_option "$1" "$2"
        shift
        ;;
      *) misused "There is no option $1." ;;
    esac
    shift
  done
}

set_option() {
  case $1 in
    --tenant) TENANT=$2 ;;
    --repo) REPO=$2 ;;
    --environment) ENVIRONMENT=$2 ;;
    --branch) BRANCH=$2 ;;
    --key-vault) VAULT=$2 ;;
    --vault-tenant) VAULT_TENANT=$2 ;;
    --cloud) CLOUD=$2 ;;
    --name) NAME=$2 ;;
    --client-id) CLIENT_ID=$2 ;;
    --issuer) ISSUER=${2%/} ;;
    --subject) SUBJECT=$2 ;;
  esac
}

check_options() {
  if [ -z "$TENANT" ]; then misused '--tenant is missing: the tenant that owns the API connectors.'; fi
  if [ -z "$REPO" ]; then misused '--repo is missing: the repository with the workflow, OWNER/REPO.'; fi
  [[ $TENANT =~ ^[A-Za-z0-9.-]+$ ]] || misused "--tenant $TENANT is neither an ID nor a domain."
  [[ -z $VAULT_TENANT || $VAULT_TENANT =~ ^[A-Za-z0-9.-]+$ ]] || misused "--vault-tenant $VAULT_TENANT is neither an ID nor a domain."
  REPO=${REPO#https://} REPO=${REPO%/} REPO=${REPO%.git}
  [[ $REPO =~ ^([A-Za-z0-9.-]+/)?[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]] || misused "--repo $REPO is not OWNER/REPO."
  HOST=${GH_HOST:-github.com}
  if [[ $REPO == */*/* ]]; then HOST=${REPO%%/*} REPO=${REPO#*/}; fi
  export GH_HOST=$HOST
  if [ -n "$ENVIRONMENT" ] && [ -n "$BRANCH" ]; then misused '--environment and --branch exclude each other.'; fi
  [[ -z $CLIENT_ID || $CLIENT_ID =~ $GUID ]] || misused "--client-id $CLIENT_ID is no GUID: it is the application (client) ID."
  [[ $NAME =~ ^[A-Za-z0-9\ ._-]*$ ]] || misused '--name may have letters, digits, blanks and . _ - in it.'
  [[ -z $ISSUER || $ISSUER == https://* ]] || misused '--issuer begins with https://.'
  if [ -z "$VAULT" ] && [ -n "$VAULT_TENANT" ]; then misused '--vault-tenant belongs to --key-vault.'; fi
  if [ -n "$VAULT" ] && $READ_ONLY; then misused 'The check step reads no vault: --key-vault and --read-only exclude each other.'; fi
  if [ -z "$ENVIRONMENT$BRANCH" ] && ! $READ_ONLY; then ENVIRONMENT=production; fi
}

# The national cloud, and what follows from it.
choose_cloud() {
  case $CLOUD in
    global)
      AZURE_CLOUD=AzureCloud GRAPH=https://graph.microsoft.com AUDIENCE=api://AzureADTokenExchange
      LOGIN=https://login.microsoftonline.com VAULT_SUFFIX=vault.azure.net
      ;;
    china)
      AZURE_CLOUD=AzureChinaCloud GRAPH=https://microsoftgraph.chinacloudapi.cn AUDIENCE=api://AzureADTokenExchangeChina
      LOGIN=https://login.partner.microsoftonline.cn VAULT_SUFFIX=vault.azure.cn
      ;;
    *) misused "--cloud is global or china, not $CLOUD. The US Government clouds do not have this API." ;;
  esac
  case $HOST in
    github.com) : "${ISSUER:=https://token.actions.githubusercontent.com}" ;;
    *.ghe.com) : "${ISSUER:=https://token.actions.$HOST}" ;;
    *) : "${ISSUER:=https://$HOST/_services/token}" ;;
  esac
  if $READ_ONLY; then
    PERMISSION=APIConnectors.Read.All CLIENT_ID_VARIABLE=CHECK_CLIENT_ID
    : "${NAME:=check-api-connector-certificates}"
  else
    PERMISSION=APIConnectors.ReadWrite.All CLIENT_ID_VARIABLE=CLIENT_ID
    : "${NAME:=upload-api-connector-certificate}"
  fi
}

# VAULT: its name. VAULT_CERTIFICATE: the whole URL of the certificate, or empty.
choose_vault() {
  VAULT_CERTIFICATE=''
  if [ -z "$VAULT" ]; then return; fi
  local address host path pattern='^(certificates|secrets)/[A-Za-z0-9-]+(/[0-9a-fA-F]{32})?$'
  # A name has neither dots nor slashes; https:// may be missing.
  if [[ $VAULT == *[./]* ]]; then
    address=${VAULT#[Hh][Tt][Tt][Pp][Ss]://} host=${address%%/*}
    path=${address#"$host"} path=${path#/} path=${path#/} path=${path%/}
    host=$(printf %s "${host%:443}" | tr '[:upper:]' '[:lower:]')
    [[ $host == *."$VAULT_SUFFIX" ]] || misused "--key-vault: in this cloud ($CLOUD), a vault is https://VAULT.$VAULT_SUFFIX."
    if [ -n "$path" ]; then
      [[ $path =~ $pattern ]] || misused "--key-vault: after the host comes /certificates/NAME, not /$path."
      VAULT_CERTIFICATE=https://$host/$path
    fi
    VAULT=${host%".$VAULT_SUFFIX"}
  fi
  [[ $VAULT =~ ^[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$ ]] || misused "--key-vault: $VAULT is no name of a vault."
}

require_tools() {
  command -v az >/dev/null || fail 'The Azure CLI (az) is missing.' \
    'Install it (https://learn.microsoft.com/cli/azure/install-azure-cli), or run this in the Azure Cloud Shell, which has az and gh.'
  command -v gh >/dev/null || fail 'The GitHub CLI (gh) is missing.' \
    'Install it (https://cli.github.com), or run this in the Azure Cloud Shell, which has az and gh.'
}

# --- The repository -----------------------------------------------------------------------------------------------------

url_encoded() {
  local LC_ALL=C text=$1 i character
  for ((i = 0; i < ${#text}; i++)); do
    character=${text:i:1}
    case $character in
      [A-Za-z0-9._~-]) printf %s "$character" ;;
      *) printf '%%%02X' "'$character" | sed 's/%F*\(..\)$/%\1/' ;;
    esac
  done
}

read_repository() {
  call gh api "repos/$REPO" --jq '.full_name, .default_branch, .visibility, .id, .owner.id' || stop_for_github "Reading the repository $REPO"
  # GitHub's own spelling: a subject is compared letter by letter.
  { read -r REPO && read -r DEFAULT_BRANCH && read -r VISIBILITY && read -r REPO_ID && read -r OWNER_ID; } <<<"$OUT" || true
  if [ -z "$ENVIRONMENT$BRANCH" ]; then BRANCH=$DEFAULT_BRANCH; fi
  # As the option --repo of gh has it, in a shell without this script's GH_HOST.
  GH_REPOSITORY=$REPO
  if [ "$HOST" != github.com ]; then GH_REPOSITORY=$HOST/$REPO; fi
  if [ -n "$ENVIRONMENT" ]; then
    PLACE="environment $ENVIRONMENT of $REPO"
    ENVIRONMENT_PATH=repos/$REPO/environments/$(url_encoded "$ENVIRONMENT")
    VARIABLES_PATH=$ENVIRONMENT_PATH/variables
    SCOPE="--env $(quoted "$ENVIRONMENT") --repo $GH_REPOSITORY"
    CONTEXT=environment:${ENVIRONMENT//:/%3A}
  else
    PLACE="repository $REPO"
    VARIABLES_PATH=repos/$REPO/actions/variables
    SCOPE="--repo $GH_REPOSITORY"
    CONTEXT=ref:refs/heads/$BRANCH
  fi
}

# A value as one word of a command to copy.
quoted() {
  if [[ $1 =~ ^[A-Za-z0-9._/-]+$ ]]; then printf %s "$1"; else printf "'%s'" "${1//\'/\'\\\'\'}"; fi
}

# The subject of the ID token, as this repository presents it.
# https://docs.github.com/actions/reference/security/oidc
derive_subject() {
  if [ -n "$SUBJECT" ]; then return; fi
  local use_default=true prefix='' keys=''
  if call gh api "repos/$REPO/actions/oidc/customization/sub" --jq '.use_default, .sub_claim_prefix, .include_claim_keys'; then
    { read -r use_default && read -r prefix && read -r keys; } <<<"$OUT" || true
  elif ! says 'HTTP 404'; then
    stop_for_github 'Reading how this repository presents itself'
  fi
  # Not there on older servers. Repositories made after 15 July 2026 have ids in it.
  case $prefix in '' | null) prefix=repo:$REPO ;; esac
  if [ "$use_default" = false ]; then
    case $keys in '' | null | '[]') read_organisation_keys && keys=$OUT ;; esac
  else
    keys=''
  fi
  case $keys in
    '' | null | '[]') SUBJECT=$prefix:$CONTEXT ;;
    *) SUBJECT=$(customised_subject "$prefix" "$keys") ;;
  esac
}

# A repository that opted in, but has no template of its own, follows the organisation's.
read_organisation_keys() {
  call gh api "orgs/${REPO%%/*}/actions/oidc/customization/sub" --jq .include_claim_keys && return
  if says 'HTTP 403'; then
    fail "This repository follows the template that ${REPO%%/*} has for subjects, and you may not read it." "${ERR#gh: }" \
      "Let an owner of ${REPO%%/*} run this, or name the subject: --subject 'THE SUBJECT'."
  fi
  says 'HTTP 404' || stop_for_github "Reading the template of the subject of ${REPO%%/*}"
  OUT=''
}

customised_subject() {
  local prefix=$1 key part subject='' IFS=$' \t\n,'
  for key in $(printf %s "$2" | tr -d '[]"'); do
    case $key in
      repo) part=$prefix ;;
      context) part=$CONTEXT ;;
      repository) part=repository:$REPO ;;
      repository_owner) part=repository_owner:${REPO%%/*} ;;
      repository_id) part=repository_id:$REPO_ID ;;
      repository_owner_id) part=repository_owner_id:$OWNER_ID ;;
      repository_visibility) part=repository_visibility:$VISIBILITY ;;
      environment) part=${ENVIRONMENT:+environment:${ENVIRONMENT//:/%3A}} ;;
      ref) part=${BRANCH:+ref:refs/heads/$BRANCH} ;;
      *) part='' ;;
    esac
    if [ -z "$part" ]; then
      fail "This repository has a subject of its own ($2), and $key is known only when the job runs." \
        'Run the check step once: it ends with FEDERATED_CREDENTIAL_MISMATCH, which shows the subject.' \
        "Then run this again with --subject 'THE SUBJECT'."
    fi
    subject=$subject${subject:+:}$part
  done
  printf %s "$subject"
}

ensure_environment() {
  if [ -z "$ENVIRONMENT" ]; then return; fi
  if call gh api "$ENVIRONMENT_PATH" --jq .name; then
    HAS_ENVIRONMENT=true
    there "environment $ENVIRONMENT"
    return
  fi
  says 'HTTP 404' || stop_for_github "Reading the environment $ENVIRONMENT"
  HAS_ENVIRONMENT=false
  missing "environment $ENVIRONMENT, without protection rules"
  if $PLANNING; then return; fi
  # Never sent for an environment that is there: this request would take its protection rules away.
  if call gh api --method PUT "$ENVIRONMENT_PATH" --silent; then
    HAS_ENVIRONMENT=true
    return
  fi
  if [ "$VISIBILITY" != public ] && says 'HTTP 40[34]|HTTP 422|upgrade|billing'; then
    fail "GitHub made no environment in this $VISIBILITY repository: $(printf '%s\n' "$ERR" | head -n 1)" \
      'Private repositories of GitHub Free have no environments. Without one, the job signs in by its branch:' \
      "  run this again with --branch $(quoted "$DEFAULT_BRANCH") in place of --environment" \
      "If your plan has environments, you need to be an administrator of $REPO."
  fi
  stop_for_github "Making the environment $ENVIRONMENT"
}

# ensure_variable NAME VALUE [OPTION_THAT_KEEPS_IT]. VALUE is empty while it is not known yet.
ensure_variable() {
  local name=$1 value=$2 found=''
  if [ -z "$ENVIRONMENT" ] || $HAS_ENVIRONMENT; then
    if call gh api "$VARIABLES_PATH/$name" --jq .value; then
      found=$OUT
    elif ! says 'HTTP 404'; then
      stop_for_github "Reading the variable $name"
    fi
  fi
  if [ -z "$found" ]; then
    missing "variable $name${value:+ = $value}"
    if $PLANNING; then return; fi
    call gh api --method POST "$VARIABLES_PATH" --silent --raw-field "name=$name" --raw-field "value=$value" ||
      stop_for_github "Setting the variable $name"
  elif [ "$found" = "$value" ]; then
    there "variable $name = $value"
  else
    fail "The variable $name of the $PLACE is there with another value: $found" \
      "Here it would be: ${value:-the ID of a new application}" \
      "${3:-Use another environment (--environment) for it.}" \
      "Or, if it is no longer needed, remove it and run this again: gh variable delete $name $SCOPE"
  fi
}

# --- The tenant ---------------------------------------------------------------------------------------------------------

# The ID of a tenant that is given by ID or by domain.
tenant_id() {
  if [[ $1 =~ $GUID ]]; then
    OUT=$(printf %s "$1" | tr 'A-F' 'a-f')
    return
  fi
  azure rest --method get --url "$LOGIN/$1/v2.0/.well-known/openid-configuration" --skip-authorization-header --query issuer || {
    if says 'AADSTS(90002|50059|900023)|invalid_tenant|Bad Request'; then
      fail "There is no tenant $1 in this cloud ($CLOUD)." 'Check --tenant and --cloud. The tenants that you are signed in to: az account list --query "[].tenantId" --output tsv'
    fi
    USED_TENANT=$1
    stop_for_azure "Looking for the tenant $1" ''
  }
  OUT=$(printf %s "$OUT" | sed -E 's#^.*/([0-9a-f-]{36})/v2\.0$#\1#')
}

check_azure_cloud() {
  USED_TENANT=$TENANT
  try 'Asking the Azure CLI for its cloud' '' cloud show --query name
  if [ "$OUT" != "$AZURE_CLOUD" ]; then
    fail "The Azure CLI works in $OUT, and --cloud $CLOUD needs $AZURE_CLOUD." 'Switch, sign in, and run this again:' \
      "  az cloud set --name $AZURE_CLOUD && az login --tenant $TENANT --allow-no-subscriptions"
  fi
}

# Makes a tenant the one that `az ad` and `az rest` work in: they know no option for it. `restore` switches back.
use_tenant() {
  USED_TENANT=$1
  local current='' account=''
  try 'Asking the Azure CLI who is signed in' '' account show --query '[id, tenantId]'
  { read -r account && read -r current; } <<<"$OUT" || true
  if [ "$current" = "$1" ]; then return; fi
  try 'Asking the Azure CLI for its accounts' '' account list --query "[?tenantId=='$1'].id"
  if [ -z "$OUT" ]; then
    fail "The Azure CLI is signed in to the tenant $current, not to $1." 'Sign in there, and run this again:' \
      "  $(login_command "$1")"
  fi
  : "${FIRST_ACCOUNT:=$account}"
  try 'Switching the account of the Azure CLI' '' account set --subscription "${OUT%%$'\n'*}"
}

# At the end, whatever it is.
restore() {
  if [ -n "${FIRST_ACCOUNT:-}" ]; then azure account set --subscription "$FIRST_ACCOUNT" || true; fi
  rm -rf "$SCRATCH"
}

# ensure_application NAME [CLIENT_ID]: APP_ID is its client ID, empty while it is not made.
ensure_application() {
  local name=$1 id=${2:-} filter="displayName eq '$1'" secrets keys
  if [ -n "$id" ]; then filter="appId eq '$id'"; fi
  try 'Looking for the application' 'Your account may not read applications of this tenant. A guest needs the role Directory Readers.' \
    ad app list --filter "$filter" --query '[].[appId, length(passwordCredentials), length(keyCredentials)]'
  if [ -z "$OUT" ]; then
    if [ -n "$id" ]; then fail "There is no application with the client ID $id in the tenant $USED_TENANT." 'It is the application (client) ID, not an object ID.'; fi
    APP_ID=''
    missing "application $name"
    if $PLANNING; then return; fi
    try "Making the application $name" 'You need the role Application Developer, or Cloud Application Administrator.' \
      ad app create --display-name "$name" --sign-in-audience AzureADMyOrg --query appId
    APP_ID=$OUT
    return
  fi
  if [[ $OUT == *$'\n'* ]]; then
    fail "There are several applications named $name. Their client IDs:" "${OUT%%$'\t'*}" "$(printf '%s\n' "${OUT#*$'\n'}" | cut -f 1)" \
      'Choose one with --client-id, or another name with --name.'
  fi
  IFS=$'\t' read -r APP_ID secrets keys <<<"$OUT"
  # Whoever registered an application of this name earlier must not be given the permission unnoticed.
  if [ "$secrets$keys" != 00 ] && [ -z "$id" ]; then
    fail "The application $name ($APP_ID) has a client secret or a certificate, so others may sign in as it." \
      'If it is yours, name it: --client-id '"$APP_ID"', and remove the secret once the step is green.' \
      'If not, take another name: --name NAME'
  fi
  there "application $name, client ID $APP_ID"
}

# SP_ID is the object ID of the application's service principal, empty while it is not made.
ensure_principal() {
  SP_ID=''
  if [ -n "$APP_ID" ]; then
    try 'Looking for the service principal' '' ad sp list --filter "appId eq '$APP_ID'" --query '[].id'
    SP_ID=$OUT
  fi
  if [ -n "$SP_ID" ]; then
    there 'its service principal'
    return
  fi
  missing 'its service principal'
  if $PLANNING; then return; fi
  local rights='You need the role Application Developer, or Cloud Application Administrator.'
  try_until_known 'Making the service principal' "$rights" ad sp create --id "$APP_ID" --query id
  SP_ID=$OUT
  if [ -n "$SP_ID" ]; then return; fi
  try 'Looking for the service principal' '' ad sp list --filter "appId eq '$APP_ID'" --query '[].id'
  SP_ID=$OUT
}

# The name of a federated credential: 120 of letters, digits, - and _.
credential_name() {
  local name
  name=$(printf %s "$1" | LC_ALL=C sed -E -e 's/[^A-Za-z0-9_-]+/-/g' -e 's/^[-_]+//')
  # Longer ones differ at their ends, most likely.
  if [ ${#name} -gt 110 ]; then name=${name:0:99}-$(printf %s "$1" | cksum | cut -d ' ' -f 1); fi
  printf %s "$name"
}

ensure_credential() {
  local credentials='' name issuer subject audience count=0 names=$'\n' wanted
  if [ -n "$APP_ID" ]; then
    if $PLANNING; then
      try 'Reading the federated credentials' '' ad app federated-credential list --id "$APP_ID" --query '[].[name, issuer, subject, audiences[0]]'
    else
      try_until_known 'Reading the federated credentials' '' ad app federated-credential list --id "$APP_ID" --query '[].[name, issuer, subject, audiences[0]]'
    fi
    credentials=$OUT
  fi
  while IFS=$'\t' read -r name issuer subject audience; do
    if [ -z "$name" ]; then continue; fi
    count=$((count + 1)) names=$names$name$'\n'
    if [ "$issuer" != "$ISSUER" ] || [ "$subject" != "$SUBJECT" ]; then continue; fi
    if [ "$audience" != "$AUDIENCE" ]; then
      fail "The federated credential $name has this subject, but the audience $audience; in this cloud ($CLOUD) it is $AUDIENCE." \
        'Delete it, and run this again:' \
        "  $(login_command "$USED_TENANT") && az ad app federated-credential delete --id $APP_ID --federated-credential-id $name"
    fi
    there "federated credential $name: $SUBJECT"
    return
  done <<<"$credentials"
  if [ "$count" -ge "$MAX_CREDENTIALS" ]; then
    fail "The application has $count federated credentials, and $MAX_CREDENTIALS is the most that one may have." \
      "Delete one that is no longer used (az ad app federated-credential list --id $APP_ID)," \
      'or prepare another application for this repository: --name NAME'
  fi
  wanted=$(credential_name "$SUBJECT") name=$wanted
  while [[ $names == *$'\n'"$name"$'\n'* ]]; do count=$((count + 1)) name=$wanted-$count; done
  missing "federated credential $name: $SUBJECT"
  if $PLANNING; then return; fi
  try_until_known 'Making the federated credential' 'You need to own the application, or the role Cloud Application Administrator.' \
    ad app federated-credential create --id "$APP_ID" --parameters \
    "$(printf '{"name":"%s","issuer":"%s","subject":"%s","audiences":["%s"]}' "$name" "$(escaped "$ISSUER")" "$(escaped "$SUBJECT")" "$AUDIENCE")"
}

# Text within a JSON string.
escaped() { printf %s "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g'; }

# The permission stands on the application first, so that an administrator can consent in the portal as well.
ensure_permission() {
  local graph_sp='' role='' requested='' granted=''
  try 'Looking for Microsoft Graph' '' ad sp show --id "$GRAPH_APP_ID" --query "[id, appRoles[?value=='$PERMISSION'].id | [0]]"
  { read -r graph_sp && read -r role; } <<<"$OUT" || true
  [[ $role =~ $GUID ]] || fail "Microsoft Graph has no permission $PERMISSION in the tenant $USED_TENANT." \
    "API connectors exist in the global cloud and in China. Check --tenant and --cloud ($CLOUD)."
  if [ -n "$APP_ID" ]; then
    try_until_known 'Reading the permissions of the application' '' ad app show --id "$APP_ID" \
      --query "requiredResourceAccess[?resourceAppId=='$GRAPH_APP_ID'].resourceAccess[].id"
    requested=$OUT
  fi
  if [ -n "$SP_ID" ]; then
    try_until_known 'Reading the permissions that are granted' '' rest --method get \
      --url "$GRAPH/v1.0/servicePrincipals/$SP_ID/appRoleAssignments" --query "value[?appRoleId=='$role'].id"
    granted=$OUT
  fi
  if [ -n "$granted" ]; then
    there "permission $PERMISSION of Microsoft Graph, with admin consent"
    return
  fi
  missing "permission $PERMISSION of Microsoft Graph, with admin consent"
  if $PLANNING; then return; fi
  if [[ $requested != *"$role"* ]]; then
    try_until_known 'Adding the permission' 'You need to own the application, or the role Cloud Application Administrator.' \
      ad app permission add --id "$APP_ID" --api "$GRAPH_APP_ID" --api-permissions "$role=Role"
  fi
  try_until_known 'Granting admin consent' "$(consent_help)" rest --method post \
    --url "$GRAPH/v1.0/servicePrincipals/$SP_ID/appRoleAssignments" --headers Content-Type=application/json \
    --body "$(printf '{"principalId":"%s","resourceId":"%s","appRoleId":"%s"}' "$SP_ID" "$graph_sp" "$role")"
}

consent_help() {
  cat <<HELP
Everything else is prepared. Consent to an application permission needs the role Privileged Role Administrator.
  Ask somebody who has it to run this same command, or to open in the portal, in the tenant $USED_TENANT:
  App registrations > All applications > $NAME ($APP_ID) > API permissions > Grant admin consent
HELP
}

# --- The vault ----------------------------------------------------------------------------------------------------------

# VAULT_ID: its resource ID. VAULT_RBAC: true if roles decide who may read it, else access policies do.
find_vault() {
  local subscriptions subscription
  try 'Asking the Azure CLI for its subscriptions' '' account list --query "[?tenantId=='$USED_TENANT'].id"
  subscriptions=$OUT
  for subscription in $subscriptions; do
    # The account of a tenant without subscriptions.
    if [ "$subscription" = "$USED_TENANT" ]; then continue; fi
    if azure keyvault show --name "$VAULT" --subscription "$subscription" --query '[id, properties.enableRbacAuthorization]'; then
      { read -r VAULT_ID && read -r VAULT_RBAC; } <<<"$OUT" || true
      VAULT_SUBSCRIPTION=$subscription
      return
    fi
    says 'not found|NotFound|could not be found' || stop_for_azure "Looking for the vault $VAULT" 'You need the role Reader on it.'
  done
  fail "The vault $VAULT is in no subscription of the tenant $USED_TENANT that you can see." \
    'A B2C tenant holds no vaults: name the tenant of the vault with --vault-tenant, sign in there as well, and run this again:' \
    "  $(login_command "${VAULT_TENANT:-VAULT_TENANT}")"
}

ensure_vault_access() {
  find_vault
  case $VAULT_RBAC in [Tt]rue) ensure_vault_role ;; *) ensure_vault_policy ;; esac
}

ensure_vault_role() {
  local what="role Key Vault Secrets User on the vault $VAULT"
  OUT=''
  if [ -n "$SP_ID" ]; then
    try "Reading who may read the vault $VAULT" 'You need the role Reader on it.' role assignment list --scope "$VAULT_ID" --subscription "$VAULT_SUBSCRIPTION" \
      --role "$KEY_VAULT_SECRETS_USER" --query "[?principalId=='$SP_ID'].id"
  fi
  if [ -n "$OUT" ]; then
    there "$what"
    return
  fi
  missing "$what"
  if $PLANNING; then return; fi
  # With the type of the principal, one that was just made need not be known yet.
  try_until_known "Granting the role on the vault $VAULT" 'You need the role Owner, User Access Administrator or Key Vault Data Access Administrator on the vault.' \
    role assignment create --assignee-object-id "$SP_ID" --assignee-principal-type ServicePrincipal \
    --role "$KEY_VAULT_SECRETS_USER" --scope "$VAULT_ID" --subscription "$VAULT_SUBSCRIPTION" --query id
}

ensure_vault_policy() {
  local what="access policy (get secrets) of the vault $VAULT" permissions=''
  if [ -n "$SP_ID" ]; then
    try "Reading the access policies of $VAULT" 'You need the role Reader on it.' keyvault show --name "$VAULT" --subscription "$VAULT_SUBSCRIPTION" \
      --query "properties.accessPolicies[?objectId=='$SP_ID'].permissions.secrets[]"
    permissions=$OUT
  fi
  if printf '%s\n' "$permissions" | grep -Eiqx 'get|all'; then
    there "$what"
    return
  fi
  missing "$what"
  if $PLANNING; then return; fi
  # The command replaces what this principal may do, so what it may do already goes along.
  # shellcheck disable=SC2086
  try_until_known "Setting the access policy of $VAULT" 'You need the role Key Vault Contributor on the vault.' \
    keyvault set-policy --name "$VAULT" --subscription "$VAULT_SUBSCRIPTION" --object-id "$SP_ID" --secret-permissions get $permissions --query id
}

# --- The story ----------------------------------------------------------------------------------------------------------

# Each `ensure_…` says with one of these what it found. While applying, only what is made is said.
there() { if $PLANNING; then say "  = $1"; fi; }
missing() { say "  + $1"; }

heading() {
  if $PLANNING; then say "$1"; fi
}

# Once with PLANNING=true, which changes nothing, and once with false. Consent comes last: it is what most people may not
# give, and everything else is done by then.
prepare() {
  heading "Microsoft Entra, tenant $TENANT_ID"
  use_tenant "$TENANT_ID"
  ensure_application "$NAME" "$CLIENT_ID"
  ensure_principal
  ensure_credential
  local app_id=$APP_ID sp_id=$SP_ID vault_app_id=''
  if [ -n "$VAULT" ]; then
    if [ "$VAULT_TENANT_ID" != "$TENANT_ID" ]; then
      heading "Microsoft Entra, tenant $VAULT_TENANT_ID (the vault's)"
      use_tenant "$VAULT_TENANT_ID"
      ensure_application "$NAME-key-vault"
      ensure_principal
      ensure_credential
      vault_app_id=$APP_ID
    fi
    ensure_vault_access
  fi
  heading "GitHub, $REPO"
  HAS_ENVIRONMENT=false
  ensure_environment
  ensure_variable TENANT_ID "$TENANT_ID"
  ensure_variable "$CLIENT_ID_VARIABLE" "$app_id" 'To prepare the application that it names, pass that ID as --client-id.'
  if [ -n "$VAULT_CERTIFICATE" ]; then ensure_variable KEY_VAULT_CERTIFICATE "$VAULT_CERTIFICATE"; fi
  if [ -n "$VAULT" ] && [ "$VAULT_TENANT_ID" != "$TENANT_ID" ]; then ensure_variable KEY_VAULT_CLIENT_ID "$vault_app_id"; fi
  heading "Microsoft Entra, tenant $TENANT_ID: permission"
  use_tenant "$TENANT_ID"
  APP_ID=$app_id SP_ID=$sp_id
  ensure_permission
}

confirm() {
  if $YES || ! [ -t 0 ] || ! [ -t 1 ]; then return; fi
  local answer
  printf 'Go on? [y/N] '
  read -r answer
  case $answer in y | Y | yes) ;; *) fail 'Nothing was changed.' ;; esac
}

next_steps() {
  # A branch that is not the default one has to be named; the workflow is only found if the default branch has it too.
  local other='' ref=''
  if [ -n "$BRANCH" ] && [ "$BRANCH" != "$DEFAULT_BRANCH" ]; then other=" and on $BRANCH" ref=" --ref $(quoted "$BRANCH")"; fi
  cat <<STEPS

Next:

1. Put this on the default branch$other as .github/workflows/check-api-connector-certificates.yml.
   PUBLISHER is the owner of the action's repository. It lists the API connectors and their IDs, and changes nothing.

name: Check the API connector certificates
on:
  workflow_dispatch:
STEPS
  if $READ_ONLY && [ -z "$ref" ]; then printf "  schedule:\n    - cron: '23 6 * * *'\n"; fi
  printf 'permissions: {}\njobs:\n  check:\n    runs-on: ubuntu-latest\n'
  if [ -n "$ENVIRONMENT" ]; then printf '    environment: %s\n' "$(quoted_yaml "$ENVIRONMENT")"; fi
  cat <<STEPS
    permissions:
      id-token: write # lets the step ask GitHub for its ID token
    steps:
      - uses: PUBLISHER/upload-api-connector-certificate/check@v1
        with:
          tenant-id: \${{ vars.TENANT_ID }}
          client-id: \${{ vars.$CLIENT_ID_VARIABLE }}
          all: true
STEPS
  if [ "$CLOUD" = china ]; then printf '          cloud: china\n'; fi
  cat <<STEPS

   Run it: gh workflow run check-api-connector-certificates.yml --repo $GH_REPOSITORY$ref
STEPS
  if [ -n "$ref" ]; then
    cat <<STEPS

   It may sign in on $BRANCH only. A schedule would run it on $DEFAULT_BRANCH, so it has none.
STEPS
  fi
  if $READ_ONLY; then
    cat <<STEPS

   $PERMISSION is likely enough for it, but Microsoft's pages about reading API connectors name
   APIConnectors.ReadWrite.All only. If it ends with GRAPH_FORBIDDEN, grant that one, or use the upload's application.
STEPS
  else
    next_steps_certificate
  fi
}

quoted_yaml() { printf "'%s'" "${1//\'/\'\'}"; }

next_steps_certificate() {
  cat <<STEPS

2. Store the ID of your connector, which the check shows (several: one a line, from a file by < ids.txt):
   gh variable set CONNECTOR_ID $SCOPE --body CONNECTOR_ID

3. Choose where the certificate comes from (docs/setup.md, "The certificate"):
STEPS
  if [ -n "$VAULT_CERTIFICATE" ]; then
    say '   - from the key vault: the variable KEY_VAULT_CERTIFICATE is set, and the application may read the vault. A new role'
    say '     takes some minutes to arrive'
  elif [ -n "$VAULT" ]; then
    say '   - from the key vault, which the application may read (a new role takes some minutes to arrive):'
    say "     gh variable set KEY_VAULT_CERTIFICATE $SCOPE --body https://$VAULT.$VAULT_SUFFIX/certificates/NAME"
  else
    say '   - from a key vault: run this again with --key-vault'
  fi
  cat <<STEPS
   - from a secret; gh asks for the password:
     base64 < connector.pfx | gh secret set CONNECTOR_PFX $SCOPE
     gh secret set CONNECTOR_PFX_PASSWORD $SCOPE
   - made on the runner when it is due, by PUBLISHER/upload-api-connector-certificate/create@v1

4. Let the API behind the connector trust the certificate. Then upload it, with dry-run: true first (docs/setup.md,
   "The upload").
STEPS
  if [ -n "$BRANCH" ]; then
    say "   Leave out environment: production there, and run it on the branch $BRANCH: the job signs in by the branch."
  fi
}

main() {
  read_options "$@"
  check_options
  choose_cloud
  choose_vault
  require_tools
  SCRATCH=$(mktemp -d)
  trap restore EXIT
  read_repository
  derive_subject
  check_azure_cloud
  tenant_id "$TENANT" && TENANT_ID=$OUT
  VAULT_TENANT_ID=$TENANT_ID
  if [ -n "$VAULT_TENANT" ]; then tenant_id "$VAULT_TENANT" && VAULT_TENANT_ID=$OUT; fi

  say 'This is what will be there at the end (+ is made now, = is there already):'
  PLANNING=true
  prepare
  if $WHAT_IF; then
    say
    say 'Nothing was changed (--what-if).'
    return
  fi
  confirm
  say
  say 'Doing it:'
  PLANNING=false
  prepare
  say "Done. The subject that may sign in: $SUBJECT"
  next_steps
}

# The last line, so that a download that was cut short does nothing.
main "$@"
