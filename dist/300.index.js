export const id = 300;
export const ids = [300];
export const modules = {

/***/ 2756:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  TargetCheck: () => (/* binding */ TargetCheck),
  updateConnector: () => (/* binding */ updateConnector)
});

// EXTERNAL MODULE: ./lib/text/clean.js
var clean = __webpack_require__(4874);
// EXTERNAL MODULE: ./lib/failure.js
var failure = __webpack_require__(1957);
// EXTERNAL MODULE: ./lib/report/outputs.js
var outputs = __webpack_require__(8568);
// EXTERNAL MODULE: ./lib/sign-in/sign-in.js + 5 modules
var sign_in = __webpack_require__(4398);
// EXTERNAL MODULE: ./lib/http/client.js + 1 modules
var client = __webpack_require__(6141);
;// CONCATENATED MODULE: ./lib/connectors/verify-target.js
/**
 * Asks the API behind a connector whether it takes the new certificate, before the connector presents it to everybody:
 * a TLS connection with the certificate and its chain, and a HEAD. No token ever goes there.
 */



/** Unauthorized, forbidden, and nginx's own for a certificate that is bad (495) or missing (496). */
const TURNED_AWAY = [401, 403, 495, 496];
/** How a TLS server turns a client's certificate away: by an alert, or by hanging up. */
const TLS_REFUSAL = /\b(ERR_SSL_\w*ALERT\w*|ECONNRESET|UND_ERR_SOCKET|EPIPE|EPROTO)\b|alert|other side closed/i;
/** In TLS 1.2 that comes before the handshake is done, in 1.3 after the request was sent. */
const IN_HANDSHAKE = /alert|before secure TLS connection was established/i;
/** The leaf, its chain and the key as PEM, for a TLS connection. */
function tlsIdentity(certificate) {
    return {
        cert: [certificate.leaf, ...certificate.chain].map(String).join(''),
        key: certificate.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
}
/**
 * Presents the certificate to the target.
 * @returns a warning where the target does not seem to look at certificates, else undefined
 * @throws Failure TARGET_REFUSES_CERTIFICATE, TARGET_UNREACHABLE
 */
async function verifyTarget(withCertificate, without, targetUrl) {
    const shown = (0,clean/* cleanUrl */.TG)(targetUrl, 200);
    if (!URL.canParse(targetUrl) || new URL(targetUrl).protocol !== 'https:') {
        throw new failure/* Failure */.HR('TARGET_UNREACHABLE', `The target URL ${shown} is not an https URL, so no certificate can be presented to it.`, 'Correct the URL of the API connector, or leave verify-target out.');
    }
    const answer = await ask(withCertificate, targetUrl);
    if (answer instanceof client/* TransportError */.wX)
        throw unanswered(answer, shown);
    const why = await whyTurnedAway(withCertificate, targetUrl, answer);
    if (why !== undefined)
        throw refused(shown, why);
    const anonymous = await ask(without, targetUrl);
    if (anonymous instanceof client/* TransportError */.wX || anonymous.status !== answer.status)
        return undefined;
    return `${shown} answers HTTP ${answer.status} with the new certificate and without any: it does not seem to check client certificates.`;
}
async function ask(http, url, method = 'HEAD') {
    try {
        return await http.send({ method, url, headers: { accept: '*/*' }, timeout: client/* RETRY */.p6.timeout });
    }
    catch (error) {
        if (!(error instanceof client/* TransportError */.wX))
            throw error;
        http.signal.throwIfAborted();
        return error;
    }
}
async function whyTurnedAway(http, url, answer) {
    if (TURNED_AWAY.includes(answer.status))
        return `HTTP ${answer.status}`;
    if (answer.status !== 400)
        return undefined;
    // nginx answers 400 and says only in the body that it is about the certificate; to a HEAD it sends none.
    const page = await ask(http, url, 'GET');
    if (page instanceof client/* TransportError */.wX || !/SSL certificate/i.test(page.body))
        return undefined;
    return `HTTP 400, ${(0,clean/* clean */.uH)(/<title>(.*?)<\/title>/i.exec(page.body)?.[1] ?? 'about the SSL certificate', 100)}`;
}
function unanswered(error, shown) {
    const why = (0,clean/* clean */.uH)((0,client/* reason */.l)(error));
    if ((error.sent && TLS_REFUSAL.test(why)) || IN_HANDSHAKE.test(why))
        return refused(shown, why);
    return new failure/* Failure */.HR('TARGET_UNREACHABLE', `${shown} could not be asked whether it takes the certificate: ${why}.`, 'Nothing was uploaded. Check that the runner reaches the API, or leave verify-target out.', { cause: error });
}
function refused(shown, why) {
    return new failure/* Failure */.HR('TARGET_REFUSES_CERTIFICATE', `${shown} turned the new certificate away: ${why}. Nothing was uploaded.`, 'Let the API trust the new certificate (its issuer, or its thumbprint) beside the old one, then run the job again. Uploading it now would stop every sign-up that calls this API.');
}

;// CONCATENATED MODULE: ./lib/connectors/update.js
/** What one API connector needs, and doing it. */





/** The two ways to ask a target: with the new certificate and without. Opened when the first is asked. */
class TargetCheck {
    #session;
    #certificate;
    #https;
    constructor(session, certificate) {
        this.#session = session;
        this.#certificate = certificate;
    }
    async verify(targetUrl) {
        this.#https ??= {
            presenting: this.#session.openHttp(tlsIdentity(this.#certificate)),
            anonymous: this.#session.openHttp(),
        };
        return await verifyTarget(this.#https.presenting, this.#https.anonymous, targetUrl);
    }
}
/** Brings one connector to the certificate; a failure is part of the outcome, so that it does not stop the others. */
async function updateConnector(session, id, inputs, upload, target) {
    const { certificate, pkcs12Value } = upload;
    const { thumbprint } = certificate;
    const warnings = [];
    let before;
    let changing = false;
    const outcome = (rest) => ({
        id,
        before,
        connector: before,
        warnings,
        ...rest,
    });
    try {
        before = await session.graph.getConnector(id);
        const unchanged = reasonToLeave(before, inputs, thumbprint);
        if (unchanged)
            return outcome(unchanged);
        const sooner = endsSooner(before, certificate);
        if (sooner !== undefined)
            warnings.push(sooner);
        if (inputs.verifyTarget) {
            const warning = await target.verify(before.targetUrl);
            if (warning !== undefined)
                warnings.push(warning);
        }
        if (inputs.dryRun) {
            return outcome({
                result: 'would-change',
                text: `dry run: the certificate would be ${inputs.replace ? 'made the only one' : 'uploaded'}.`,
            });
        }
        changing = true;
        const body = { pkcs12Value, password: inputs.password };
        const connector = inputs.replace
            ? await session.graph.replaceAuthentication(before, body, thumbprint)
            : await session.graph.uploadClientCertificate(before, body, thumbprint);
        return outcome({ result: 'changed', connector, text: changed(connector, certificate, inputs.replace, new Date()) });
    }
    catch (error) {
        return outcome({ result: 'failed', text: '', failure: (0,outputs/* asFailure */.h_)(changing ? error : (0,sign_in.beforeUpload)(error)) });
    }
}
/** Why this connector needs no change, or undefined where it does. */
function reasonToLeave(connector, inputs, thumbprint) {
    if (connector.authentication === 'basic' && !inputs.replace) {
        throw new failure/* Failure */.HR('CONNECTOR_USES_BASIC_AUTHENTICATION', `The API connector ${(0,clean/* clean */.uH)(connector.displayName)} (${(0,clean/* clean */.uH)(connector.id, 64)}) authenticates with a user name and password, not with a certificate. Nothing was changed.`, 'To switch it to this certificate, set replace: true. The API has to take the certificate before that: verify-target: true asks it.');
    }
    const entries = connector.certificates.filter((entry) => entry.thumbprint === thumbprint);
    if (inputs.force || entries.length === 0)
        return undefined;
    if (inputs.replace && connector.certificates.length > entries.length)
        return undefined;
    if (entries.some((entry) => entry.isActive)) {
        return { result: 'unchanged', text: 'already uses this certificate; nothing to do.', warnings: [] };
    }
    const text = 'has this certificate already, but does not use it: another one was uploaded later, or its time has not come. Set force: true to upload it again.';
    return { result: 'unchanged', text, warnings: [`The API connector ${(0,clean/* clean */.uH)(connector.displayName)} ${text}`] };
}
/** A warning where the new certificate ends before one that the connector has. */
function endsSooner(connector, certificate) {
    const others = connector.certificates.filter((entry) => entry.thumbprint !== certificate.thumbprint);
    const last = Math.max(...others.map((entry) => entry.notAfter));
    if (!(last > certificate.notAfter.getTime() / 1000))
        return undefined;
    return `The new certificate ends on ${(0,outputs/* isoSeconds */.nE)(certificate.notAfter)}, sooner than one that the API connector ${(0,clean/* clean */.uH)(connector.displayName)} has now (${(0,outputs/* isoSeconds */.nE)(new Date(last * 1000))}). Is it the right file?`;
}
function changed(connector, certificate, replaced, now) {
    const what = replaced ? 'replaced' : 'uploaded';
    if (connector.certificates.some((entry) => entry.thumbprint === certificate.thumbprint && entry.isActive)) {
        return `${what}; the connector uses this certificate now.`;
    }
    return certificate.notBefore > now
        ? `${what}; the service will use it from ${(0,outputs/* isoSeconds */.nE)(certificate.notBefore)}, when it becomes valid.`
        : `${what}, but the service does not use it yet.`;
}


/***/ }),

/***/ 1957:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   HR: () => (/* binding */ Failure),
/* harmony export */   wt: () => (/* binding */ withSentence)
/* harmony export */ });
/* unused harmony export FAILURE_CODES */
/**
 * What can go wrong, as the person reading the log meets it: a stable code that
 * docs/troubleshooting.md has a heading for, what happened, and what to do.
 */
/** Every code that a failed step can carry as the title of its annotation. */
const FAILURE_CODES = (/* unused pure expression or super */ null && ([
    'INPUT_MISSING',
    'INPUT_INVALID',
    'CLOUD_UNKNOWN',
    'CLOUD_UNSUPPORTED',
    'PFX_EMPTY',
    'PFX_NOT_BASE64',
    'PFX_IS_PEM',
    'PFX_IS_CERTIFICATE',
    'PFX_IS_PKCS7',
    'PFX_IS_JKS',
    'PFX_IS_SSH_KEY',
    'PFX_IS_PGP_KEY',
    'PFX_NOT_PKCS12',
    'PFX_TRUNCATED',
    'PFX_TRAILING_DATA',
    'PFX_INVALID',
    'PFX_WRONG_PASSWORD',
    'PFX_PASSWORD_ENCODING',
    'PFX_DAMAGED',
    'PFX_NO_PRIVATE_KEY',
    'PFX_NO_CERTIFICATE',
    'PFX_KEY_MISMATCH',
    'PFX_SEVERAL_KEYS',
    'PFX_KEY_PASSWORD_DIFFERS',
    'PFX_UNSUPPORTED',
    'PFX_TOO_MANY_ITERATIONS',
    'PFX_FILE_UNREADABLE',
    'PFX_TOO_LARGE',
    'CERTIFICATE_EXPIRED',
    'CERTIFICATE_EXPIRES_TOO_SOON',
    'ID_TOKEN_UNAVAILABLE',
    'ID_TOKEN_REFUSED',
    'FEDERATED_CREDENTIAL_MISMATCH',
    'FEDERATED_CREDENTIAL_LETTER_CASE',
    'FEDERATED_CREDENTIAL_EXPRESSION',
    'FEDERATED_CREDENTIAL_MISSING',
    'APPLICATION_NOT_FOUND',
    'APPLICATION_DISABLED',
    'TENANT_NOT_FOUND',
    'RESOURCE_NOT_FOUND',
    'ID_TOKEN_OUT_OF_TIME',
    'CONDITIONAL_ACCESS',
    'ISSUER_UNREACHABLE',
    'SIGN_IN_REFUSED',
    'CONNECTOR_NOT_FOUND',
    'CONNECTOR_OF_ANOTHER_TENANT',
    'CONNECTOR_USES_BASIC_AUTHENTICATION',
    'GRAPH_UNAUTHORIZED',
    'GRAPH_FORBIDDEN',
    'GRAPH_REFUSED',
    'UPLOAD_PASSWORD_REFUSED',
    'UPLOAD_EXPIRED_REFUSED',
    'UPLOAD_FILE_REFUSED',
    'UPLOAD_DATES_REFUSED',
    'UPLOAD_NOT_CONFIRMED',
    'TARGET_REFUSES_CERTIFICATE',
    'TARGET_UNREACHABLE',
    'CERTIFICATE_ENDS_SOON',
    'NO_ACTIVE_CERTIFICATE',
    'SERVICE_UNAVAILABLE',
    'REDIRECTED',
    'THROTTLED',
    'NETWORK_UNREACHABLE',
    'PROXY_INVALID',
    'PROXY_AUTHENTICATION_REQUIRED',
    'PROXY_REFUSED',
    'TLS_NOT_TRUSTED',
    'STEP_TIMEOUT',
    'CANCELLED',
    'INTERNAL_ERROR',
]));
/** A failure that is explained: {@link code} for docs and tests, `message` for what happened, {@link remedy} for what to do. */
class Failure extends Error {
    code;
    /** What to do about it: sentences and commands, ready to be pasted. Never a secret. */
    remedy;
    constructor(code, message, remedy, options) {
        super(message, options);
        this.name = 'Failure';
        this.code = code;
        this.remedy = remedy;
    }
}
/** The same failure with one more sentence. */
function withSentence(failure, sentence) {
    return new Failure(failure.code, `${failure.message} ${sentence}`, failure.remedy, { cause: failure });
}


/***/ }),

/***/ 6141:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  lw: () => (/* binding */ Http),
  p6: () => (/* binding */ RETRY),
  wX: () => (/* binding */ TransportError),
  l: () => (/* binding */ reason),
  L5: () => (/* binding */ retry),
  P9: () => (/* binding */ retryAfter)
});

// EXTERNAL MODULE: ./node_modules/undici/lib/api/api-connect.js
var api_connect = __webpack_require__(4660);
// EXTERNAL MODULE: ./node_modules/undici/lib/core/connect.js
var connect = __webpack_require__(9136);
// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/dispatcher.js
var dispatcher = __webpack_require__(883);
// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/env-http-proxy-agent.js
var env_http_proxy_agent = __webpack_require__(3137);
;// CONCATENATED MODULE: ./lib/http/undici.js
/**
 * undici without what is not used here. Its index loads fetch, mocks, caches and a database besides, which is a third of the
 * bundle and a good part of its start; so this does for one class what the index does for all.
 */




// The way through a proxy begins with CONNECT.
Object.assign(dispatcher.prototype, { connect: api_connect });


// EXTERNAL MODULE: ./lib/failure.js
var failure = __webpack_require__(1957);
;// CONCATENATED MODULE: ./lib/http/client.js


/** No answer, or no whole one. */
class TransportError extends Error {
    /** Whether any part of the request may have reached the server. */
    sent;
    constructor(message, sent, options) {
        super(message, options);
        this.name = 'TransportError';
        this.sent = sent;
    }
}
/** The retry policy, as data. Times in milliseconds. */
const RETRY = {
    /** Tries in all, the first one included. */
    attempts: 5,
    firstWait: 500,
    longestWait: 20_000,
    /** What one attempt may take: the ID token is a small service next to the runner. */
    idTokenTimeout: 15_000,
    timeout: 30_000,
    /** What the whole step may take. */
    stepTimeout: 600_000,
};
/** To one host; as many as connectors are worked on at a time. */
const CONNECTIONS = 4;
const RESPONSE_LIMIT = 1024 * 1024;
class Http {
    #dispatcher;
    #userAgent;
    #lifetime;
    /** @throws Failure PROXY_INVALID */
    constructor(userAgent, lifetime, { clientCertificate, ahead } = {}) {
        this.#userAgent = userAgent;
        this.#lifetime = lifetime;
        // Said explicitly, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no say in it.
        const tls = { ...clientCertificate, rejectUnauthorized: true };
        try {
            this.#dispatcher = new env_http_proxy_agent({
                connections: CONNECTIONS,
                // What the emulator, and so every test, speaks; and whether a request was sent is plain to see.
                allowH2: false,
                connect: ahead ? startingWith(ahead, connect({ ...tls, allowH2: false })) : tls,
                requestTls: tls,
                proxyTls: { rejectUnauthorized: true },
            });
        }
        catch (cause) {
            // All that it takes from outside are the URLs of proxies.
            throw new failure/* Failure */.HR('PROXY_INVALID', 'The proxy in HTTPS_PROXY or HTTP_PROXY is no URL that can be used.', 'Set it to http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded (% itself is %25).', { cause });
        }
    }
    /**
     * Opens a connection ahead of the first request to this origin, where there is none; what goes wrong, that request meets
     * again. undici has no call for it: a request that refuses to start once its connection stands is not written, and leaves
     * the connection to the next one.
     */
    connect(origin) {
        this.#dispatcher.dispatch(
        // With headers, of whatever kind, or a proxy's connection is taken for one to another host.
        { origin, path: '/', method: 'GET', headers: {} }, {
            onRequestStart() {
                throw new Error('the connection was all that was wanted');
            },
            onResponseStart: () => undefined,
            onResponseData: () => undefined,
            onResponseEnd: () => undefined,
            onResponseError: () => undefined,
        });
    }
    /** {@link Lifetime.signal} */
    get signal() {
        return this.#lifetime.signal;
    }
    /** {@link Lifetime.remaining} */
    remaining() {
        return this.#lifetime.remaining();
    }
    /**
     * Sends one request once.
     * @throws TransportError where no whole answer came back; its `sent` says whether the server may have acted
     */
    async send(request) {
        const signal = AbortSignal.any([this.signal, AbortSignal.timeout(request.timeout)]);
        return await new Promise((resolve, reject) => {
            const { origin, pathname, search } = new URL(request.url);
            const chunks = [];
            let size = 0;
            let sent = false;
            let abort = () => undefined;
            let status = 0;
            let headers = {};
            const fail = (cause) => {
                signal.removeEventListener('abort', onAbort);
                reject(new TransportError(`${request.method} ${origin}: ${reason(cause)}`, sent, { cause }));
            };
            // Rejecting at once, rather than when undici notices: it does not look at a request that still waits for a connection.
            const onAbort = () => {
                // The reason first: what undici says of an aborted request is only that.
                fail(this.signal.aborted ? this.signal.reason : new Error(`no answer within ${request.timeout / 1000} s`));
                abort();
            };
            if (signal.aborted) {
                onAbort();
                return;
            }
            signal.addEventListener('abort', onAbort, { once: true });
            this.#dispatcher.dispatch({
                origin,
                path: pathname + search,
                method: request.method,
                headers: { 'user-agent': this.#userAgent, accept: 'application/json', ...request.headers },
                body: request.body ?? null,
            }, {
                onRequestStart(controller) {
                    abort = () => {
                        controller.abort(new Error('aborted'));
                    };
                    if (signal.aborted)
                        abort();
                    else
                        sent = true;
                },
                onResponseStart(_controller, statusCode, received) {
                    status = statusCode;
                    headers = Object.fromEntries(Object.entries(received).map(([name, value]) => [
                        name.toLowerCase(),
                        Array.isArray(value) ? (value.at(-1) ?? '') : (value ?? ''),
                    ]));
                },
                onResponseData(controller, chunk) {
                    size += chunk.length;
                    if (size > RESPONSE_LIMIT)
                        controller.abort(new Error(`the answer is larger than ${RESPONSE_LIMIT} bytes`));
                    else
                        chunks.push(chunk);
                },
                onResponseEnd() {
                    signal.removeEventListener('abort', onAbort);
                    const response = { status, headers, body: Buffer.concat(chunks).toString('utf8') };
                    // undici frees the connection in the next turn of the event loop: whoever asks sooner is given another one, and
                    // waits for its handshakes.
                    setImmediate(() => setImmediate(resolve, response));
                },
                onResponseError(_controller, error) {
                    fail(error);
                },
            });
        });
    }
    /** Waits this long, in milliseconds, or until the step is over. */
    async wait(milliseconds) {
        await new Promise((resolve, reject) => {
            const onAbort = () => {
                clearTimeout(timer);
                reject(this.signal.reason);
            };
            if (this.signal.aborted) {
                reject(this.signal.reason);
                return;
            }
            const timer = setTimeout(() => {
                this.signal.removeEventListener('abort', onAbort);
                resolve();
            }, milliseconds);
            this.signal.addEventListener('abort', onAbort, { once: true });
        });
    }
    /** Closes every connection, idle or not: an open one would hold the step for minutes. */
    async close() {
        await this.#dispatcher.destroy();
    }
}
/** Hands out the connection that has begun, once; where there is none, or it failed, `connect` makes one. */
function startingWith(ahead, connect) {
    let next = ahead;
    return (options, callback) => {
        const wanted = new URL(`${options.protocol}//${options.host ?? options.hostname}`).origin;
        if (next?.origin !== wanted) {
            connect(options, callback);
            return;
        }
        const { socket, settled } = next;
        next = undefined;
        socket.ref();
        void settled.then(() => {
            if (socket.destroyed)
                connect(options, callback);
            else
                callback(null, socket);
        });
    };
}
/**
 * Tries until an attempt is done, with growing, jittered waits.
 * @throws the failure of the last attempt, once there are no more tries or no time for one
 */
async function retry(http, attempt, log) {
    const started = performance.now();
    for (let n = 1;; n++) {
        const outcome = await attempt(n);
        if ('done' in outcome)
            return outcome.done;
        const { again, retryAfter = 0, within = Infinity } = outcome;
        if (n === RETRY.attempts)
            throw again;
        const backoff = Math.min(RETRY.longestWait, RETRY.firstWait * 2 ** (n - 1)) * (0.5 + Math.random() / 2);
        const wait = Math.max(backoff, retryAfter);
        if (performance.now() - started + wait > within)
            throw again;
        if (wait >= http.remaining()) {
            throw (0,failure/* withSentence */.wt)(again, `The next try would have to wait ${Math.ceil(wait / 1000)} s, and the step has only ${Math.floor(http.remaining() / 1000)} s left.`);
        }
        log(`${again.message} Trying again in ${(wait / 1000).toFixed(1)} s (${n} of ${RETRY.attempts} tries).`);
        await http.wait(wait);
    }
}
/** `Retry-After` in milliseconds from now (RFC 9110 section 10.2.3: seconds, or a date), or undefined. */
function retryAfter(response, now) {
    const value = response.headers['retry-after']?.trim();
    if (value === undefined || value === '')
        return undefined;
    if (/^\d{1,9}$/.test(value))
        return Number(value) * 1000;
    const date = Date.parse(value);
    return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
/** The innermost cause that says something: "fetch failed" and its like explain nothing. */
function reason(error) {
    const messages = [];
    for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
        // A failure of ours says it all; its code is the title.
        const code = at instanceof failure/* Failure */.HR ? undefined : at.code;
        messages.push(code !== undefined && !at.message.includes(code) ? `${at.message} (${code})` : at.message);
        if (at instanceof AggregateError)
            messages.push(...at.errors.map(reason));
    }
    return messages.findLast((message) => message !== '') ?? String(error);
}


/***/ }),

/***/ 359:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   X: () => (/* binding */ mapAtMost),
/* harmony export */   h: () => (/* binding */ RateWindow)
/* harmony export */ });
/** Several things at once, but not too many. */
/** Runs `work` on each item, at most `limit` at a time; the results are in the order of the items. */
async function mapAtMost(limit, items, work) {
    const results = [];
    const waiting = items.entries();
    const worker = async () => {
        // The one iterator is shared: each worker takes what comes next.
        for (const [index, item] of waiting)
            results[index] = await work(item);
    };
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
    return results;
}
/** At most `limit` starts in any `window` milliseconds. */
class RateWindow {
    #limit;
    #window;
    #starts = [];
    constructor(limit, window) {
        this.#limit = limit;
        this.#window = window;
    }
    /** Takes the next place, and tells how long to wait for it: milliseconds from `now`, 0 where there is room. */
    reserve(now) {
        const freed = this.#starts.length < this.#limit ? now : (this.#starts.shift() ?? now) + this.#window;
        const start = Math.max(now, freed);
        this.#starts.push(start);
        return start - now;
    }
}


/***/ }),

/***/ 3988:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   B4: () => (/* binding */ explainTransport),
/* harmony export */   N6: () => (/* binding */ isRedirect),
/* harmony export */   cP: () => (/* binding */ redirected)
/* harmony export */ });
/* harmony import */ var _text_clean_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(4874);
/* harmony import */ var _failure_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1957);
/* harmony import */ var _client_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(6141);
/** What it means that no answer came back, by the innermost cause: name resolution, proxy, TLS, time. */



/** Node's codes for a server certificate that is not trusted. */
const UNTRUSTED = /\b(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|CERT_UNTRUSTED|CERT_REVOKED|CERT_REJECTED|CERT_SIGNATURE_FAILURE|CERT_CHAIN_TOO_LONG|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)\b/;
/** The failure that a redirect means: something that is not the service answered in its place. */
function redirected(service, status) {
    return new _failure_js__WEBPACK_IMPORTED_MODULE_0__/* .Failure */ .HR('REDIRECTED', `${service} answered with a redirect (HTTP ${status}, ${new Date().toISOString()}), which is not followed: a token must not go elsewhere.`, 'Something between the runner and the service answers in its place, such as a proxy that asks for a sign-in. Let it pass.');
}
/** Whether this status is a redirect. */
function isRedirect(status) {
    return status >= 300 && status < 400;
}
/** The failure that a request without an answer means. `service` is who was asked, as a person calls it. */
function explainTransport(error, service) {
    const why = (0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)((0,_client_js__WEBPACK_IMPORTED_MODULE_1__/* .reason */ .l)(error));
    const failed = (code, what, remedy) => new _failure_js__WEBPACK_IMPORTED_MODULE_0__/* .Failure */ .HR(code, `${what} (${new Date().toISOString()}).`, remedy, { cause: error });
    const proxy = /Proxy response \((\d+)\)/.exec(why)?.[1];
    if (proxy === '407') {
        return {
            again: false,
            failure: failed('PROXY_AUTHENTICATION_REQUIRED', `The proxy on the way to ${service} asks for a user name and password, or does not take those it got: HTTP 407`, 'Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT in the env of the job or of the runner, with special characters percent-encoded, out of a secret.'),
        };
    }
    if (proxy !== undefined) {
        return {
            again: Number(proxy) >= 500 || proxy === '429',
            failure: failed('PROXY_REFUSED', `The proxy did not open the way to ${service}: HTTP ${proxy}`, 'Let the proxy pass CONNECT to port 443 of login.microsoftonline.com, graph.microsoft.com and GitHub\u2019s *.actions.githubusercontent.com, or list them in NO_PROXY.'),
        };
    }
    if (UNTRUSTED.test(why)) {
        return {
            again: false,
            failure: failed('TLS_NOT_TRUSTED', `The TLS certificate of ${service} is not trusted: ${why}`, 'Where a proxy of your company inspects TLS, give its root certificate to the step: env: NODE_EXTRA_CA_CERTS: /path/to/root-ca.pem. Verification is never turned off.'),
        };
    }
    if (/\b(ENOTFOUND|EAI_AGAIN)\b/.test(why)) {
        return {
            again: true,
            failure: failed('NETWORK_UNREACHABLE', `The name of ${service} could not be resolved: ${why}`, 'Check the DNS of the runner, and HTTPS_PROXY where it has to go through a proxy.'),
        };
    }
    return {
        again: true,
        failure: failed('NETWORK_UNREACHABLE', `${service} did not answer: ${why}`, 'Run the job again. If it goes on, check that the runner may reach it on port 443, and HTTPS_PROXY and NO_PROXY.'),
    };
}


/***/ }),

/***/ 6300:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {


// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  run: () => (/* binding */ run)
});

// EXTERNAL MODULE: ./lib/node_modules/@actions/core/lib/core.js + 3 modules
var core = __webpack_require__(6120);
// EXTERNAL MODULE: ./lib/text/clean.js
var clean = __webpack_require__(4874);
// EXTERNAL MODULE: ./lib/failure.js
var lib_failure = __webpack_require__(1957);
// EXTERNAL MODULE: ./lib/report/outputs.js
var outputs = __webpack_require__(8568);
;// CONCATENATED MODULE: ./lib/connectors/expiry.js
/** What the check step finds out about a connector: how long its active certificate has left. */




/** Judges a connector by its active certificate. */
function judge(connector, { warnDays, failDays }, now) {
    const finding = { id: connector.id, connector, active: undefined, daysLeft: undefined };
    if (connector.authentication === 'basic') {
        return {
            ...finding,
            status: 'warning',
            text: 'authenticates with a user name and password, not with a certificate.',
        };
    }
    const active = connector.certificates.find((entry) => entry.isActive);
    if (!active) {
        const text = connector.authentication === 'certificate'
            ? 'has no active certificate: its calls are not authenticated with one.'
            : 'does not authenticate with a certificate.';
        const failure = new lib_failure/* Failure */.HR('NO_ACTIVE_CERTIFICATE', `The API connector ${(0,outputs/* nameOf */.Vb)(connector.id, connector)} ${text}`, 'Upload a certificate that is valid now.');
        return connector.authentication === 'certificate'
            ? { ...finding, status: 'failing', text, failure }
            : { ...finding, status: 'warning', text };
    }
    const ends = new Date(active.notAfter * 1000);
    const daysLeft = (0,outputs/* daysUntil */.AQ)(ends, now);
    const text = `${daysLeft < 0 ? 'its active certificate has expired' : `its active certificate has ${daysLeft} day${daysLeft === 1 ? '' : 's'} left`} (${(0,clean/* clean */.uH)(active.thumbprint, 64)}, until ${(0,outputs/* isoSeconds */.nE)(ends)}).`;
    const judged = { ...finding, active, daysLeft, text };
    // Not below a threshold counts as fine, so a date that cannot be read has to be caught first.
    if (!(daysLeft >= failDays)) {
        const failure = new lib_failure/* Failure */.HR('CERTIFICATE_ENDS_SOON', `The API connector ${(0,outputs/* nameOf */.Vb)(connector.id, connector)}: ${text}`, 'Upload a newer certificate now: when this one ends, every sign-up that calls the API fails.');
        return { ...judged, status: 'failing', failure };
    }
    return { ...judged, status: daysLeft < warnDays ? 'warning' : 'ok' };
}
/** The finding about a connector that could not be read. */
function unread(id, error) {
    const failure = (0,outputs/* asFailure */.h_)(error);
    return {
        id,
        connector: undefined,
        status: 'failing',
        text: `could not be read: ${failure.message}`,
        active: undefined,
        daysLeft: undefined,
        failure,
    };
}
/** The check step's outputs: the worst status, and the certificate that ends first. */
function setCheckOutputs(findings) {
    const worst = ['failing', 'warning'].find((status) => findings.some((finding) => finding.status === status));
    const first = findings
        .filter((finding) => finding.active)
        .sort((a, b) => (a.active?.notAfter ?? 0) - (b.active?.notAfter ?? 0))[0];
    (0,core/* setOutput */.uH)('status', worst ?? 'ok');
    (0,core/* setOutput */.uH)('days-left', first?.daysLeft === undefined ? '' : String(first.daysLeft));
    (0,core/* setOutput */.uH)('not-after', first?.active ? (0,outputs/* isoSeconds */.nE)(new Date(first.active.notAfter * 1000)) : '');
    (0,core/* setOutput */.uH)('thumbprint', first?.active?.thumbprint ?? '');
    (0,core/* setOutput */.uH)('connectors', JSON.stringify(findings.map(connectorOutput)));
}
/** The check step's outputs where nothing could be read: what cannot be checked is not fine. */
function setUncheckedOutputs() {
    (0,core/* setOutput */.uH)('status', 'failing');
}
function connectorOutput(finding) {
    const { connector, active, daysLeft, status } = finding;
    return {
        ...(0,outputs/* shownConnector */.Lz)(finding.id, connector),
        authentication: connector?.authentication ?? null,
        status,
        daysLeft: daysLeft ?? null,
        thumbprint: active?.thumbprint ?? null,
        notAfter: active?.notAfter ?? null,
        certificates: (0,outputs/* byAge */.jI)(connector?.certificates ?? []),
        ...(finding.failure ? { failure: finding.failure.code } : {}),
    };
}

// EXTERNAL MODULE: ./lib/http/concurrency.js
var concurrency = __webpack_require__(359);
;// CONCATENATED MODULE: ./lib/sign-in/cloud.js
/**
 * National clouds: where to sign in, where Microsoft Graph is, and which audience a federated credential has there.
 * @see https://learn.microsoft.com/graph/deployments
 */

const CLOUDS = [
    {
        name: 'global',
        loginOrigin: 'https://login.microsoftonline.com',
        graphOrigin: 'https://graph.microsoft.com',
        audience: 'api://AzureADTokenExchange',
        azureCliName: 'AzureCloud',
    },
    {
        name: 'china',
        loginOrigin: 'https://login.partner.microsoftonline.cn',
        graphOrigin: 'https://microsoftgraph.chinacloudapi.cn',
        audience: 'api://AzureADTokenExchangeChina',
        azureCliName: 'AzureChinaCloud',
    },
];
const WITHOUT_API_CONNECTORS = new Map([
    ['us-gov-l4', 'US Government L4'],
    ['us-gov-l5', 'US Government L5 (DoD)'],
]);
/**
 * The cloud of this name.
 * @throws Failure CLOUD_UNSUPPORTED where Microsoft Graph has no API connectors there, CLOUD_UNKNOWN for any other name
 * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate ("national cloud deployments")
 */
function cloudByName(name) {
    const cloud = CLOUDS.find((known) => known.name === name);
    if (cloud)
        return cloud;
    const government = WITHOUT_API_CONNECTORS.get(name);
    if (government !== undefined) {
        throw new lib_failure/* Failure */.HR('CLOUD_UNSUPPORTED', `The input "cloud" is "${name}", and Microsoft Graph has no API connectors in ${government}.`, 'uploadClientCertificate exists in the global cloud and in China (21Vianet) only. Set cloud: global or cloud: china, if the tenant is there.');
    }
    throw new lib_failure/* Failure */.HR('CLOUD_UNKNOWN', `The input "cloud" is ${/^[\w .-]{1,40}$/.test(name) ? `"${name}"` : name === '' ? 'empty' : `a text of ${name.length} characters`}, which is no cloud that this action knows.`, 'Set cloud: global (the default) or cloud: china.');
}

;// CONCATENATED MODULE: ./lib/inputs.js
/** The action's inputs, read once, checked, and every secret among them masked. */



const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DOMAIN = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/i;
const GUID_EXAMPLE = '00000000-0000-0000-0000-000000000000';
/** A 1 MiB file is 1.4 million characters of base64; wrapped, in UTF-16 or encoded twice it is up to four times that. */
const PFX_TEXT_LIMIT = 6 * 1024 * 1024;
/** Shorter pieces of a secret are not masked: every such run of letters in the log would become ***. */
const SHORTEST_MASK = 4;
const SHORTEST_MASKED_LINE = 16;
/** No path looks like this; a secret handed to `pfx-file` does, quotes and a `data:` prefix included. */
const BASE64_BY_MISTAKE = /^(data:[\w/.+;-]*,)?["']?[A-Za-z0-9+/_=\s-]{400,}["']?$/;
/**
 * Reads every input. Required ones are checked here, since the runner does not.
 * @throws Failure INPUT_MISSING, INPUT_INVALID, CLOUD_UNKNOWN, CLOUD_UNSUPPORTED, which name the input and show what it should look like
 */
function readInputs() {
    // The two steps share a bundle; check/action.yml says so by a default.
    return (0,core/* getInput */.V4)('step') === 'check' ? readCheckInputs() : readUploadInputs();
}
function readUploadInputs() {
    // Secrets first: whatever fails afterwards can no longer show them.
    const pfxText = (0,core/* getInput */.V4)('pfx');
    const pfxPath = (0,core/* getInput */.V4)('pfx-file');
    maskPfx(pfxText);
    if (BASE64_BY_MISTAKE.test(pfxPath))
        maskPfx(pfxPath);
    const password = (0,core/* getInput */.V4)('password', { trimWhitespace: false });
    maskPassword(password);
    maskProxyCredentials(process.env);
    return {
        step: 'upload',
        ...identityInputs(),
        connectorIds: connectorIds((0,core/* getInput */.V4)('connector-id')),
        pfx: pfxSource(pfxText, pfxPath),
        password: limited('password', password, 1024),
        minimumDaysLeft: wholeNumber('minimum-days-left', 3650),
        force: flag('force'),
        replace: flag('replace'),
        verifyTarget: flag('verify-target'),
        dryRun: flag('dry-run'),
    };
}
function readCheckInputs() {
    maskProxyCredentials(process.env);
    const identity = identityInputs();
    const all = flag('all');
    const ids = (0,core/* getInput */.V4)('connector-id');
    if (all && ids !== '') {
        throw new lib_failure/* Failure */.HR('INPUT_INVALID', 'Both inputs "connector-id" and "all" are set.', 'Keep one of them: connector-id for those you name, all: true for every one of the tenant.');
    }
    const warnDays = wholeNumber('warn-days', 3650);
    const failDays = wholeNumber('fail-days', 3650);
    if (failDays > warnDays) {
        throw new lib_failure/* Failure */.HR('INPUT_INVALID', `The input "fail-days" is ${failDays}, more than "warn-days", ${warnDays}: the warning would never come.`, 'Make warn-days the larger one.');
    }
    return { step: 'check', ...identity, connectorIds: all ? 'all' : connectorIds(ids), warnDays, failDays };
}
function identityInputs() {
    const cloud = cloudByName((0,core/* getInput */.V4)('cloud'));
    return {
        tenantId: tenantId(),
        clientId: clientId(),
        cloud,
        audience: printable('audience', limited('audience', (0,core/* getInput */.V4)('audience'), 512)) || cloud.audience,
    };
}
function maskPfx(text) {
    // Line by line, as it could be printed. Armour is no secret, and a last line of four letters would blank half the log.
    for (const line of text.split(/\r\n|\r|\n/)) {
        const value = line.trim();
        if (value.length >= SHORTEST_MASKED_LINE && !value.startsWith('-----'))
            (0,core/* setSecret */.Pq)(value);
    }
}
function maskPassword(password) {
    if (password === '')
        return;
    const lines = password.split(/\r\n|\r|\n/).filter((line) => line.length >= SHORTEST_MASK);
    for (const line of lines)
        (0,core/* setSecret */.Pq)(line);
    if (lines.length === 0) {
        (0,core/* warning */.$e)(`The password has fewer than ${SHORTEST_MASK} characters, so it is not masked in the log: every place where these letters occur would read ***. This action never prints it. Choose a longer one.`, { title: 'Short password' });
    }
}
/** A proxy's user name and password stand in its URL; undici sends them, percent-decoded, in base64. */
function maskProxyCredentials(environment) {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy']) {
        const value = environment[name];
        if (value === undefined || !URL.canParse(value))
            continue;
        const { username, password } = new URL(value);
        if (username === '' && password === '')
            continue;
        const [user, secret] = [decoded(username), decoded(password)];
        const basic = Buffer.from(`${user}:${secret}`).toString('base64');
        // A name alone is what a token looks like; beside a password it is none.
        const secrets = password === '' ? [username, user] : [`${username}:${password}`, password, secret];
        for (const form of [...secrets, basic]) {
            if (form.length >= SHORTEST_MASK)
                (0,core/* setSecret */.Pq)(form);
        }
    }
}
function decoded(text) {
    try {
        return decodeURIComponent(text);
    }
    catch {
        return text;
    }
}
function tenantId() {
    const value = required('tenant-id', `a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`);
    if (GUID.test(value) || DOMAIN.test(value))
        return value;
    throw invalid('tenant-id', value, `the directory (tenant) ID: a GUID such as ${GUID_EXAMPLE}, or a domain such as contoso.onmicrosoft.com`, 'Show it with: az account show --query tenantId --output tsv');
}
function clientId() {
    const value = required('client-id', `a GUID such as ${GUID_EXAMPLE}`);
    if (GUID.test(value))
        return value;
    throw invalid('client-id', value, `the application (client) ID of the app registration: a GUID such as ${GUID_EXAMPLE}`, 'Show it with: az ad app list --display-name NAME --query "[].appId" --output tsv');
}
function connectorIds(text) {
    const ids = text
        .split(/\r\n|\r|\n/)
        .map((line) => line.trim())
        .filter((line) => line !== '' && !line.startsWith('#'));
    if (ids.length === 0)
        throw missing('connector-id', 'the ID of an API connector, or several, one a line');
    for (const id of ids) {
        // '.' and '..' are the two names that cannot be one segment of a path, however they are encoded.
        if (id.length > 256 || /[\u0000-\u001f\u007f]/.test(id) || !id.isWellFormed() || id === '.' || id === '..') {
            throw invalid('connector-id', id, `the ID of an API connector, such as ${GUID_EXAMPLE}, or several, one a line`, 'List them with: az rest --method get --url https://graph.microsoft.com/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv');
        }
    }
    // Ids are GUIDs, and the same in upper and lower case.
    const folded = ids.map((id) => id.toLowerCase());
    return ids.filter((_, index) => folded.indexOf(folded[index] ?? '') === index);
}
function pfxSource(text, path) {
    if (text !== '' && path !== '') {
        throw new lib_failure/* Failure */.HR('INPUT_INVALID', 'Both inputs "pfx" and "pfx-file" are set.', 'Keep one of them: pfx for base64 text out of a secret, pfx-file for a file on the runner.');
    }
    if (BASE64_BY_MISTAKE.test(path)) {
        throw new lib_failure/* Failure */.HR('INPUT_INVALID', 'The input "pfx-file" holds what looks like the content of a file, not its path.', 'Give base64 text to pfx instead, such as pfx: ${{ secrets.CONNECTOR_PFX }}.');
    }
    if (path !== '')
        return { kind: 'file', path: printable('pfx-file', limited('pfx-file', path, 4096)) };
    if (text !== '')
        return { kind: 'text', text: limited('pfx', text, PFX_TEXT_LIMIT) };
    throw new lib_failure/* Failure */.HR('INPUT_MISSING', 'Neither of the inputs "pfx" and "pfx-file" is set.', 'Set pfx to the .pfx as base64 text, such as ${{ secrets.CONNECTOR_PFX }}, or pfx-file to its path on the runner. A secret is empty where it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. Store it with: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX');
}
function wholeNumber(name, most) {
    const value = (0,core/* getInput */.V4)(name);
    const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
    if (number <= most)
        return number;
    throw invalid(name, value, `a whole number from 0 to ${most}`);
}
/** YAML's words for true and false; an expression that gives nothing (`${{ inputs.force }}` on a push) is false. */
function flag(name) {
    const value = (0,core/* getInput */.V4)(name);
    if (/^true$/i.test(value))
        return true;
    if (/^(false)?$/i.test(value))
        return false;
    throw invalid(name, value, 'true or false');
}
function required(name, looksLike) {
    const value = (0,core/* getInput */.V4)(name);
    if (value === '')
        throw missing(name, looksLike);
    return value;
}
function limited(name, value, most) {
    if (value.length <= most)
        return value;
    throw new lib_failure/* Failure */.HR('INPUT_INVALID', `The input "${name}" has ${value.length} characters; at most ${most} are taken.`, name === 'pfx' ? 'Is this the right file? A .pfx is a few kilobytes.' : `Shorten "${name}".`);
}
function printable(name, value) {
    if (!/[\u0000-\u001f\u007f]/.test(value))
        return value;
    throw invalid(name, value, 'one line of text, without control characters');
}
function missing(name, looksLike) {
    return new lib_failure/* Failure */.HR('INPUT_MISSING', `The input "${name}" is required and empty.`, `Set ${name} to ${looksLike}. A variable or secret is empty where it is not defined in this repository or environment.`);
}
function invalid(name, value, looksLike, how = '') {
    return new lib_failure/* Failure */.HR('INPUT_INVALID', `The input "${name}" is ${shown(value)}, which is not what it should be.`, `It should be ${looksLike}. ${how}`.trim());
}
/** A value that was mistaken may be a secret in the wrong place: only what is short and plain is repeated, whole, so that a mask still fits. */
function shown(value) {
    if (value === '')
        return 'empty';
    return /^[\w .:@/\\-]{1,64}$/.test(value) ? `"${value}"` : `a text of ${value.length} characters`;
}

// EXTERNAL MODULE: external "node:fs"
var external_node_fs_ = __webpack_require__(3024);
;// CONCATENATED MODULE: ./lib/certificate/other-formats.js
/** Tells what a file is that is no PKCS#12 file, by its first bytes, and what to do about it. */

/**
 * @throws Failure PFX_EMPTY, PFX_IS_PEM, PFX_IS_CERTIFICATE, PFX_IS_PKCS7, PFX_IS_JKS, PFX_IS_SSH_KEY, PFX_IS_PGP_KEY,
 *   PFX_NOT_PKCS12
 */
function refuseOtherFormats(file) {
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    if (bytes.every((byte) => byte === 0))
        throw empty('The .pfx is empty.');
    if (bytes[0] === 0x30) {
        refuseOtherDer(bytes);
        return;
    }
    const magic = MAGICS.find(({ hex }) => bytes.subarray(0, hex.length / 2).toString('hex') === hex);
    if (magic)
        throw refusal(magic.code, magic.what, magic.remedy);
    refuseArmour(bytes.toString('latin1', 0, 64 * 1024));
    const what = /^\s*<(!doctype|html|\?xml)/i.test(bytes.toString('latin1', 0, 256)) ? 'a web page' : 'no PKCS#12 file';
    throw refusal('PFX_NOT_PKCS12', what, what === 'a web page' ? `Was it downloaded without signing in? ${EXPORT}` : EXPORT);
}
/** Refuses text that is a PEM file, an SSH or a PGP key. */
function refuseArmour(text) {
    const label = /-----BEGIN ([A-Z0-9 ]+)-----/.exec(text)?.[1];
    if (label?.startsWith('PGP') === true)
        throw refusal('PFX_IS_PGP_KEY', 'a PGP key or message', EXPORT);
    if (label?.includes('SSH') === true ||
        label === 'OPENSSH PRIVATE KEY' ||
        /^\s*(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+) AAAA|^PuTTY-User-Key-File/.test(text)) {
        throw refusal('PFX_IS_SSH_KEY', 'an SSH key', EXPORT);
    }
    if (label === 'PKCS7' || label === 'CMS')
        throw refusal('PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)', EXPORT_P7B);
    if (label === undefined && !/-----BEGIN /.test(text))
        return;
    const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map((match) => PEM_KINDS[match[1] ?? ''] ?? 'something else');
    const kinds = [...new Set(labels)].join(' and ') || 'something that cannot be read';
    throw refusal('PFX_IS_PEM', `a PEM file with ${kinds}`, EXPORT_PEM);
}
/** A refusal for an input or file without anything in it. */
function empty(message) {
    return new lib_failure/* Failure */.HR('PFX_EMPTY', message, 'A secret is empty where it is not defined in this repository or environment, and in workflows that a fork or Dependabot started. Store it with: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX');
}
const EXPORT_PEM = 'Make a .pfx out of certificate and key: openssl pkcs12 -export -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -inkey key.pem -in cert.pem -out cert.pfx';
const EXPORT = `Give a .pfx (.p12) with a certificate and its private key. ${EXPORT_PEM}`;
const EXPORT_P7B = `It holds certificates only, without a private key. ${EXPORT_PEM}`;
const EXPORT_JKS = 'Convert it: keytool -importkeystore -srckeystore store.jks -srcalias NAME -destkeystore cert.p12 -deststoretype PKCS12';
const PEM_KINDS = {
    CERTIFICATE: 'a certificate',
    'TRUSTED CERTIFICATE': 'a certificate',
    'X509 CERTIFICATE': 'a certificate',
    'PRIVATE KEY': 'a private key',
    'RSA PRIVATE KEY': 'a private key',
    'EC PRIVATE KEY': 'a private key',
    'DSA PRIVATE KEY': 'a private key',
    'EC PARAMETERS': 'the parameters of a key',
    'ENCRYPTED PRIVATE KEY': 'an encrypted private key',
    'PUBLIC KEY': 'a public key',
    'RSA PUBLIC KEY': 'a public key',
    'CERTIFICATE REQUEST': 'a certificate request',
    'NEW CERTIFICATE REQUEST': 'a certificate request',
    'X509 CRL': 'a revocation list',
};
const MAGICS = [
    { hex: 'feedfeed', code: 'PFX_IS_JKS', what: 'a Java keystore (JKS)', remedy: EXPORT_JKS },
    { hex: 'cececece', code: 'PFX_IS_JKS', what: 'a Java keystore (JCEKS)', remedy: EXPORT_JKS },
    { hex: '504b0304', code: 'PFX_NOT_PKCS12', what: 'a ZIP archive', remedy: `Unpack it. ${EXPORT}` },
    { hex: '1f8b', code: 'PFX_NOT_PKCS12', what: 'a gzip archive', remedy: `Unpack it. ${EXPORT}` },
];
/** Of DER there is much. A PFX is a SEQUENCE of an INTEGER and a PKCS#7 content; what is cut off before that may be one. */
function refuseOtherDer(bytes) {
    const first = inside(bytes);
    const second = inside(first);
    switch (first[0]) {
        case undefined:
            return;
        case 0x02: {
            const next = first.subarray(2 + (first[1] ?? 0));
            const type = inside(next);
            if (next[0] === 0x30 && (type.length < PKCS7.length || type.subarray(0, PKCS7.length).equals(PKCS7)))
                return;
            if (next.length === 0)
                return;
            // PrivateKeyInfo, RSAPrivateKey and ECPrivateKey have the versions 0 and 1.
            if (first[1] === 1 && (first[2] ?? 0) < 2)
                throw refusal('PFX_NOT_PKCS12', 'a bare private key (DER)', EXPORT_PEM);
            break;
        }
        case 0x06:
            if (first.subarray(0, PKCS7.length).equals(PKCS7))
                throw refusal('PFX_IS_PKCS7', 'a PKCS#7 file (.p7b)', EXPORT_P7B);
            break;
        case 0x30:
            if (second[0] === 0xa0 || (second[0] === 0x02 && second[2] !== 0)) {
                throw refusal('PFX_IS_CERTIFICATE', 'a certificate (.cer, .crt), without its private key', EXPORT);
            }
            if (second[0] === 0x02)
                throw refusal('PFX_NOT_PKCS12', 'a certificate request (DER)', EXPORT_PEM);
            if (second[0] === 0x06)
                throw refusal('PFX_NOT_PKCS12', 'a bare key (DER)', EXPORT_PEM);
            break;
    }
    throw refusal('PFX_NOT_PKCS12', 'no PKCS#12 file', EXPORT);
}
/** OBJECT IDENTIFIER 1.2.840.113549.1.7.x, all but the last arc. */
const PKCS7 = Buffer.from('06092a864886f70d0107', 'hex');
/** What comes after the header of the element at the start. */
function inside(bytes) {
    const length = bytes[1] ?? 0;
    return bytes.subarray(length > 0x80 ? 2 + (length & 0x7f) : 2);
}
function refusal(code, what, remedy) {
    return new lib_failure/* Failure */.HR(code, `What was given as the .pfx is ${what}.`, remedy);
}

;// CONCATENATED MODULE: ./lib/certificate/decode.js
/** From what people paste into a secret, or write into a file, to the bytes of a .pfx. */


/**
 * Decodes the base64 of a .pfx in any of its disguises: wrapped, url-safe, without padding, with a byte order mark, in
 * quotation marks, as a data URL, in the armour of `certutil -encode`, as UTF-16 misread, encoded twice.
 * @throws Failure PFX_EMPTY, PFX_NOT_BASE64, and for content that is something else what {@link refuseOtherFormats} throws
 */
function decodePfxText(text) {
    const decoded = decodeBase64(text);
    const inner = decoded.bytes[0] === SEQUENCE ? undefined : textIn(decoded.bytes);
    if (inner !== undefined && BASE64_OF_SEQUENCE.test(inner)) {
        const { bytes } = decodeBase64(inner);
        refuseOtherFormats(bytes);
        return { bytes, note: 'The .pfx was encoded in base64 twice; once is enough.' };
    }
    refuseOtherFormats(decoded.bytes);
    return decoded;
}
/**
 * The .pfx in a file: its bytes as they are, or decoded where it holds base64 text.
 * @throws Failure what {@link refuseOtherFormats} throws
 */
function decodePfxFile(file) {
    const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
    const text = bytes[0] === SEQUENCE ? undefined : textIn(bytes);
    if (text !== undefined && (BASE64_OF_SEQUENCE.test(text) || /-----BEGIN [^]*-----END /.test(text))) {
        const decoded = decodePfxText(text);
        return { note: 'The file holds base64 text; the .pfx in it was decoded.', ...decoded };
    }
    refuseOtherFormats(bytes);
    return { bytes };
}
const SEQUENCE = 0x30;
/** What every DER SEQUENCE of more than 127 bytes starts with, and BER of indefinite length. */
const BASE64_OF_SEQUENCE = /^[\s"'\0\ufeff]*(MI|MH|MD|data:[^,]{0,100},M[IHD])/;
function decodeBase64(input) {
    // Zeros and byte order marks are what is left of UTF-16 that was read as something else.
    const text = input
        .replace(/^(\ufeff|\u00ff\u00fe|\u00ef\u00bb\u00bf|\ufffd{2})/, '')
        .replace(/[\0\ufeff]/g, '')
        .trim();
    if (text === '')
        throw empty('The input "pfx" is empty.');
    const armoured = fromArmour(text);
    if (armoured)
        return armoured;
    refuseArmour(text);
    const body = text
        .replace(/^(["'])([\s\S]*)\1$/, '$2')
        .replace(/^data:[^,]{0,200};base64,/i, '')
        .replace(/\\r|\\n/g, '')
        // Blanks of every kind, with those of zero width.
        .replace(/[\s\u200b-\u200d\u2060]+/g, '');
    if (body === '')
        throw empty('The input "pfx" is empty.');
    return { bytes: strictBase64(body, text) };
}
/** `certutil -encode` puts "BEGIN CERTIFICATE" around any file. */
function fromArmour(text) {
    const body = /^-----BEGIN [A-Z0-9 ]+-----([A-Za-z0-9+/=\s]+)-----END [A-Z0-9 ]+-----$/.exec(text)?.[1];
    if (body === undefined)
        return undefined;
    const bytes = Buffer.from(body, 'base64');
    if (!looksLikePfx(bytes))
        return undefined;
    return { bytes, note: 'The .pfx came in the armour of a PEM file, as certutil -encode writes it; it was taken off.' };
}
/** SEQUENCE, INTEGER 3. */
function looksLikePfx(bytes) {
    const length = bytes[1] ?? 0;
    const start = length > 0x80 ? 2 + (length & 0x7f) : 2;
    return bytes[0] === SEQUENCE && bytes.subarray(start, start + 3).equals(Buffer.of(0x02, 0x01, 0x03));
}
/** RFC 4648, sections 4 and 5; Node's own decoder would pass over what is wrong. */
function strictBase64(body, text) {
    if (looksLikePath(text))
        throw notBase64('it looks like a path. Paths go into the input "pfx-file"');
    const digits = body
        .replace(/={0,2}$/, '')
        .replace(/-/g, '+')
        .replace(/_/g, '/');
    const wrong = digits.search(/[^A-Za-z0-9+/]/);
    if (wrong >= 0)
        throw notBase64(whyNotBase64(digits, wrong, text));
    if (digits.length % 4 === 1) {
        throw notBase64(`it has ${digits.length} characters, and base64 never has one more than a multiple of four: some are missing`);
    }
    return Buffer.from(digits, 'base64');
}
function whyNotBase64(digits, position, text) {
    const character = String.fromCodePoint(digits.codePointAt(position) ?? 0);
    if (character === '=')
        return `padding ("=") stands in the middle, at position ${position + 1}: several texts were joined`;
    if (/^\*+$/.test(text))
        return 'it is the mask (***) that a log shows in place of a secret';
    if (/\$\{\{|\$\(|\$\w/.test(text))
        return 'it holds an expression or variable that was not filled in';
    if (character === '%')
        return 'it is percent-encoded';
    return `the character at position ${position + 1} (U+${character.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0') ?? ''}) does not occur in base64`;
}
function looksLikePath(text) {
    return (!/[\r\n]/.test(text) &&
        text.length < 1024 &&
        (/\.(pfx|p12|pem|cer|crt|jks)$/i.test(text) || /^(\.{0,2}\/|~\/|[A-Za-z]:\\)[^=]*\.\w+$/.test(text)));
}
/** The text in a file of text, in UTF-8 or UTF-16 with a byte order mark. */
function textIn(bytes) {
    if (bytes[0] === 0xff && bytes[1] === 0xfe)
        return bytes.toString('utf16le', 2);
    if (bytes[0] === 0xfe && bytes[1] === 0xff && bytes.length % 2 === 0)
        return Buffer.from(bytes.subarray(2)).swap16().toString('utf16le');
    const text = bytes.toString('latin1');
    return /^(\u00ef\u00bb\u00bf)?[\x00\t\n\r\x20-\x7e]*$/.test(text) ? text.replace(/^\u00ef\u00bb\u00bf/, '') : undefined;
}
function notBase64(why) {
    return new lib_failure/* Failure */.HR('PFX_NOT_BASE64', `The input "pfx" is not base64: ${why}.`, 'Encode the file on Linux with base64 -w0 cert.pfx, on macOS with base64 -i cert.pfx, in PowerShell with [Convert]::ToBase64String([IO.File]::ReadAllBytes("cert.pfx")), and store the output as the secret.');
}

;// CONCATENATED MODULE: ./lib/certificate/source.js
/** Where the .pfx comes from: the text of an input, or a file on the runner. */



/** What the service and every maker stay far below. */
const LARGEST_FILE = 1024 * 1024;
/**
 * The bytes of the .pfx.
 * @throws Failure PFX_FILE_UNREADABLE, PFX_TOO_LARGE, and what {@link decodePfxText} throws
 */
function readPfx(source) {
    const decoded = source.kind === 'text' ? decodePfxText(source.text) : decodePfxFile(readFile(source.path));
    if (decoded.bytes.length > LARGEST_FILE)
        throw tooLarge(decoded.bytes.length);
    return decoded;
}
function readFile(path) {
    try {
        const stat = (0,external_node_fs_.statSync)(path);
        if (stat.isDirectory())
            throw unreadable(path, 'is a directory', undefined);
        // Text in UTF-16 is nearly three times as long as the file that it encodes.
        if (stat.size > 4 * LARGEST_FILE)
            throw tooLarge(stat.size);
        return (0,external_node_fs_.readFileSync)(path);
    }
    catch (error) {
        if (error instanceof lib_failure/* Failure */.HR)
            throw error;
        const { code } = error;
        const why = code === 'ENOENT'
            ? 'does not exist'
            : code === 'EACCES'
                ? 'may not be read by this step'
                : `could not be read (${code ?? 'unknown error'})`;
        throw unreadable(path, why, error);
    }
}
function unreadable(path, why, cause) {
    return new lib_failure/* Failure */.HR('PFX_FILE_UNREADABLE', 
    // Longer than any path that people write: something else was handed over, and might be a secret.
    `The input "pfx-file" names ${path.length > 260 ? `a path of ${path.length} characters` : JSON.stringify(path)}, which ${why}.`, `Give the path of the .pfx itself, relative to ${process.cwd()} or absolute. A step before this one has to write it.`, { cause });
}
function tooLarge(size) {
    return new lib_failure/* Failure */.HR('PFX_TOO_LARGE', `The .pfx has ${size} bytes; at most ${LARGEST_FILE} are taken.`, 'Is this the right file? A .pfx is a few kilobytes.');
}

// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
;// CONCATENATED MODULE: ./lib/pkcs12/asn1/ber.js
/**
 * A reader for BER (ITU-T X.690): definite and indefinite lengths, constructed strings. PKCS#12 is BER, not DER
 * (RFC 7292, section 4), and Java's and Microsoft's older exporters make use of that.
 */

/** Identifier octets as they occur in PKCS#12 and X.509. */
const TAG = {
    boolean: 0x01,
    integer: 0x02,
    bitString: 0x03,
    octetString: 0x04,
    null: 0x05,
    oid: 0x06,
    utf8String: 0x0c,
    utcTime: 0x17,
    generalizedTime: 0x18,
    bmpString: 0x1e,
    sequence: 0x30,
    set: 0x31,
};
const CONSTRUCTED = 0x20;
/** More than twice as deep as any file of any maker; what lies deeper is an attack on the stack. */
const MAX_DEPTH = 32;
const END_OF_CONTENTS = 0x00;
/** One element, not yet looked into: offsets only, so that a megabyte of tiny elements stays small. */
class Element {
    /** The identifier octet: class, constructed bit and number together. */
    tag;
    #source;
    #start;
    #contentStart;
    #contentEnd;
    /** Where the next element starts, counted in the source. */
    end;
    #depth;
    constructor(source, start, depth) {
        if (depth > MAX_DEPTH)
            throw malformed(`elements are nested more than ${MAX_DEPTH} deep`);
        const header = readHeader(source, start);
        this.tag = header.tag;
        this.#source = source;
        this.#start = start;
        this.#depth = depth;
        this.#contentStart = header.contentStart;
        if (header.length === undefined) {
            this.#contentEnd = findEndOfContents(source, header.contentStart, depth);
            this.end = this.#contentEnd + 2;
        }
        else {
            this.#contentEnd = this.end = header.contentStart + header.length;
        }
    }
    get constructed() {
        return (this.tag & CONSTRUCTED) !== 0;
    }
    /** The content octets, as a view. */
    get content() {
        return this.#source.subarray(this.#contentStart, this.#contentEnd);
    }
    /** The whole element with its header, as a view. */
    get encoding() {
        return this.#source.subarray(this.#start, this.end);
    }
    /** The elements inside, in order. */
    children() {
        if (!this.constructed)
            throw malformed('an element that should hold others is primitive');
        const children = [];
        for (let offset = this.#contentStart; offset < this.#contentEnd;) {
            const child = new Element(this.#source, offset, this.#depth + 1);
            if (child.end > this.#contentEnd)
                throw malformed('an element is longer than the one that it is in');
            children.push(child);
            offset = child.end;
        }
        return children;
    }
    /** The octets of a string; the pieces of a constructed one are joined (X.690, section 8.7). */
    octets() {
        if (!this.constructed)
            return this.content;
        return Buffer.concat(this.children().map((piece) => {
            if ((piece.tag & ~CONSTRUCTED) !== TAG.octetString)
                throw malformed('a piece of a string is no string');
            return piece.octets();
        }));
    }
    /** Whether this element and those inside use shortest definite lengths and primitive strings only, as DER does. */
    isDer() {
        const length = this.#contentEnd - this.#contentStart;
        const headerLength = this.#contentStart - this.#start;
        const lengthOctets = length < 0x80 ? 1 : 1 + Math.ceil((32 - Math.clz32(length)) / 8);
        if (headerLength !== 1 + lengthOctets || this.end !== this.#contentEnd)
            return false;
        if (this.tag === (TAG.octetString | CONSTRUCTED))
            return false;
        return !this.constructed || this.children().every((child) => child.isDer());
    }
}
/**
 * The element at the start of `source`; bytes may follow it.
 * @throws Failure PFX_TRUNCATED where it ends beyond the source, PFX_INVALID where it is no BER
 */
function parse(source) {
    return new Element(Buffer.from(source.buffer, source.byteOffset, source.byteLength), 0, 0);
}
/** The element that `source` consists of. */
function parseWhole(source) {
    const element = parse(source);
    if (element.end !== source.length)
        throw malformed('bytes follow an element where none may');
    return element;
}
/** Insists on a tag. `what` completes "\u2026 is not as RFC 7292 has it". */
function expectTag(element, tag, what) {
    if (element?.tag !== tag && element?.tag !== (tag | CONSTRUCTED))
        throw malformed(`${what} is missing or of another type`);
    // Of the universal types, strings alone may come in pieces.
    if (element.constructed && (tag & CONSTRUCTED) === 0 && tag !== TAG.octetString)
        throw malformed(`${what} is constructed`);
    return element;
}
/** The elements in a SEQUENCE. */
function sequence(element, what) {
    return expectTag(element, TAG.sequence, what).children();
}
/** The octets of an OCTET STRING. */
function octetString(element, what) {
    return expectTag(element, TAG.octetString, what).octets();
}
/** An INTEGER, clamped to \u00b12^53: whatever is larger than that is too large for every use here. */
function integer(element, what) {
    const { content } = expectTag(element, TAG.integer, what);
    if (content.length === 0)
        throw malformed(`${what} is empty`);
    const negative = (content.readInt8(0) >> 7) & 1;
    if (content.length <= 6)
        return content.readIntBE(0, content.length);
    if (content.subarray(0, -6).every((byte) => byte === 0) && !negative)
        return content.readUIntBE(content.length - 6, 6);
    return negative ? Number.MIN_SAFE_INTEGER : Number.MAX_SAFE_INTEGER;
}
/** An OBJECT IDENTIFIER in dotted form. */
function objectIdentifier(element, what) {
    const { content } = expectTag(element, TAG.oid, what);
    if (content.length === 0 || content.length > 64 || (content.at(-1) ?? 0) >= 0x80)
        throw malformed(`${what} is no OID`);
    const arcs = [];
    let arc = 0n;
    for (const byte of content) {
        arc = (arc << 7n) | BigInt(byte & 0x7f);
        if (byte >= 0x80)
            continue;
        if (arcs.length === 0) {
            const first = arc < 80n ? arc / 40n : 2n;
            arcs.push(first, arc - first * 40n);
        }
        else
            arcs.push(arc);
        arc = 0n;
    }
    return arcs.join('.');
}
/** A file that is no PKCS#12 file as RFC 7292 has it. */
function malformed(what) {
    return new lib_failure/* Failure */.HR('PFX_INVALID', `The .pfx is malformed: ${what}.`, EXPORT_AGAIN);
}
/** A file that stops too early. */
function truncated() {
    return new lib_failure/* Failure */.HR('PFX_TRUNCATED', 'The .pfx is cut off: it says that it is longer than what is here.', 'Copy it again, whole, and compare its size or SHA-256 with the original. Stored from the command line it cannot be cut: base64 -w0 cert.pfx | gh secret set CONNECTOR_PFX');
}
const EXPORT_AGAIN = 'Export the certificate with its private key once more. It may have been damaged on its way here.';
function readHeader(source, start) {
    const tag = at(source, start);
    if ((tag & 0x1f) === 0x1f)
        throw malformed('a tag number is above 30');
    const first = at(source, start + 1);
    let contentStart = start + 2;
    if (first === 0x80) {
        if ((tag & CONSTRUCTED) === 0)
            throw malformed('a primitive element has an indefinite length');
        return { tag, contentStart, length: undefined };
    }
    let length = first;
    if (first > 0x80) {
        if (first === 0xff || first - 0x80 > 16)
            throw malformed('a length takes too many bytes');
        length = 0;
        for (let i = first & 0x7f; i > 0; i--)
            length = length * 256 + at(source, contentStart++);
    }
    if (length > source.length - contentStart)
        throw truncated();
    return { tag, contentStart, length };
}
/** Skips to the end-of-contents octets that belong to an element with an indefinite length. */
function findEndOfContents(source, start, depth) {
    let open = 1;
    for (let offset = start;;) {
        if (at(source, offset) === END_OF_CONTENTS && at(source, offset + 1) === 0) {
            open--;
            if (open === 0)
                return offset;
            offset += 2;
            continue;
        }
        const { contentStart, length } = readHeader(source, offset);
        if (length === undefined) {
            open++;
            if (depth + open > MAX_DEPTH)
                throw malformed(`elements are nested more than ${MAX_DEPTH} deep`);
        }
        offset = contentStart + (length ?? 0);
    }
}
function at(source, offset) {
    const byte = source[offset];
    if (byte === undefined)
        throw truncated();
    return byte;
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/hash-chain.js
/**
 * H(H(H(\u2026 x))) for SHA-1 and SHA-256 (FIPS 180-4), where x is one digest and so one block. PKCS#12's key derivation is
 * nothing but that, some makers ask for a million rounds, and crossing into OpenSSL for each takes three times as long
 * as these loops.
 */
/** Rounds between two looks at the clock. */
const STRIDE = 4096;
// The indices below are in range by construction; a check in these loops would cost a third of their speed.
/** SHA-1, `rounds` times over. `checkTime` throws once the time is over. */
function iterateSha1(digest, rounds, checkTime) {
    const w = new Int32Array(80);
    let [h0, h1, h2, h3, h4] = wordsOf(digest);
    for (let round = 0; round < rounds; round++) {
        if (round % STRIDE === 0)
            checkTime();
        w[0] = h0;
        w[1] = h1;
        w[2] = h2;
        w[3] = h3;
        w[4] = h4;
        w[5] = 0x80000000;
        w.fill(0, 6, 15);
        w[15] = 160;
        for (let i = 16; i < 80; i++) {
            const x = w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16];
            w[i] = (x << 1) | (x >>> 31);
        }
        let a = 0x67452301;
        let b = 0xefcdab89 | 0;
        let c = 0x98badcfe | 0;
        let d = 0x10325476;
        let e = 0xc3d2e1f0 | 0;
        for (let i = 0; i < 80; i++) {
            const f = i < 20
                ? ((b & c) | (~b & d)) + 0x5a827999
                : i < 40
                    ? (b ^ c ^ d) + 0x6ed9eba1
                    : i < 60
                        ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                        : (b ^ c ^ d) + 0xca62c1d6;
            const next = (((a << 5) | (a >>> 27)) + f + e + w[i]) | 0;
            e = d;
            d = c;
            c = (b << 30) | (b >>> 2);
            b = a;
            a = next;
        }
        h0 = (a + 0x67452301) | 0;
        h1 = (b + 0xefcdab89) | 0;
        h2 = (c + 0x98badcfe) | 0;
        h3 = (d + 0x10325476) | 0;
        h4 = (e + 0xc3d2e1f0) | 0;
    }
    return bytesOf([h0, h1, h2, h3, h4]);
}
/** SHA-256, `rounds` times over. `checkTime` throws once the time is over. */
function iterateSha256(digest, rounds, checkTime) {
    const w = new Int32Array(64);
    const h = Int32Array.from(wordsOf(digest));
    for (let round = 0; round < rounds; round++) {
        if (round % STRIDE === 0)
            checkTime();
        w.set(h);
        w[8] = 0x80000000;
        w.fill(0, 9, 15);
        w[15] = 256;
        for (let i = 16; i < 64; i++) {
            const x = w[i - 15];
            const y = w[i - 2];
            const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
            const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
            w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
        }
        let a = 0x6a09e667;
        let b = 0xbb67ae85 | 0;
        let c = 0x3c6ef372;
        let d = 0xa54ff53a | 0;
        let e = 0x510e527f;
        let f = 0x9b05688c | 0;
        let g = 0x1f83d9ab;
        let k = 0x5be0cd19;
        for (let i = 0; i < 64; i++) {
            const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
            const t1 = (k + s1 + ((e & f) ^ (~e & g)) + SHA256_K[i] + w[i]) | 0;
            const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
            const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
            k = g;
            g = f;
            f = e;
            e = (d + t1) | 0;
            d = c;
            c = b;
            b = a;
            a = (t1 + t2) | 0;
        }
        h[0] = a + 0x6a09e667;
        h[1] = b + 0xbb67ae85;
        h[2] = c + 0x3c6ef372;
        h[3] = d + 0xa54ff53a;
        h[4] = e + 0x510e527f;
        h[5] = f + 0x9b05688c;
        h[6] = g + 0x1f83d9ab;
        h[7] = k + 0x5be0cd19;
    }
    return bytesOf([...h]);
}
const SHA256_K = Int32Array.from([
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
    0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
    0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
    0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
    0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
    0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
    0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2,
]);
function wordsOf(digest) {
    return Array.from({ length: digest.length / 4 }, (_, i) => digest.readInt32BE(4 * i));
}
function bytesOf(words) {
    const bytes = Buffer.alloc(4 * words.length);
    for (const [i, word] of words.entries())
        bytes.writeInt32BE(word, 4 * i);
    return bytes;
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/kdf.js
/** Keys from passwords: PKCS#12's own derivation (RFC 7292, appendix B), PBKDF2 (RFC 8018) and scrypt (RFC 7914). */




/** The hashes that occur in PKCS#12 files, by Node's names. */
const HASHES = {
    md5: { name: 'md5', length: 16, block: 64 },
    sha1: { name: 'sha1', length: 20, block: 64 },
    sha224: { name: 'sha224', length: 28, block: 64 },
    sha256: { name: 'sha256', length: 32, block: 64 },
    sha384: { name: 'sha384', length: 48, block: 128 },
    sha512: { name: 'sha512', length: 64, block: 128 },
    sha512_224: { name: 'sha512-224', length: 28, block: 128 },
    sha512_256: { name: 'sha512-256', length: 32, block: 128 },
    blake2b512: { name: 'blake2b512', length: 64, block: 128 },
    blake2s256: { name: 'blake2s256', length: 32, block: 64 },
};
/** Rounds that one derivation may ask for: BouncyCastle, the slowest maker, asks for 1,200,000. */
const MAX_ROUNDS = 2_000_000;
const MAX_ROUNDS_IN_ALL = 4_000_000;
const MAX_MILLISECONDS = 4_500;
const HINT_ROUNDS = 200_000;
const HINT_MILLISECONDS = 200;
/** What a native round costs at most on a slow runner: Node cannot interrupt it, so that it is judged beforehand. */
const NATIVE_ROUND_MILLISECONDS = 0.0005;
const MAX_SCRYPT_MEMORY = 64 * 1024 * 1024;
/**
 * What opening one file may cost. The iteration counts are whatever the file says, so that without a limit a file of
 * a hundred bytes keeps the runner busy for hours.
 */
class WorkBudget {
    #deadline;
    #rounds;
    constructor(rounds = MAX_ROUNDS_IN_ALL, milliseconds = MAX_MILLISECONDS) {
        this.#rounds = rounds;
        this.#deadline = worked() + milliseconds;
    }
    /**
     * Takes `rounds` off the budget, before they are worked off.
     * @throws Failure PFX_TOO_MANY_ITERATIONS, PFX_INVALID for a count below 1
     */
    spend(rounds, nativeRounds = 0) {
        if (rounds < 1)
            throw malformed(`the iteration count is ${rounds}`);
        if (rounds > MAX_ROUNDS)
            throw tooMany(`${count(rounds)} iterations for one key; at most ${count(MAX_ROUNDS)} are done`);
        if (rounds > this.#rounds)
            throw tooMany(`more than ${count(MAX_ROUNDS_IN_ALL)} iterations in all`);
        this.#rounds -= rounds;
        this.checkTime(nativeRounds * NATIVE_ROUND_MILLISECONDS);
    }
    /** A smaller budget within this one, for a guess that only improves a message. */
    small() {
        return new WorkBudget(HINT_ROUNDS, Math.min(HINT_MILLISECONDS, this.#deadline - worked()));
    }
    /** @throws Failure PFX_TOO_MANY_ITERATIONS once the time is over, or would be after `estimate` more milliseconds */
    checkTime(estimate = 0) {
        if (worked() + estimate > this.#deadline) {
            throw tooMany(`so many iterations that they take longer than ${MAX_MILLISECONDS / 1000} seconds`);
        }
    }
}
/** Milliseconds that the processor has worked for this process: a runner that is busy with other things turns no file away. */
function worked() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
}
/** What the derived bytes are for (RFC 7292, appendix B.3). */
const PURPOSE = { key: 1, iv: 2, mac: 3 };
/**
 * RFC 7292, appendix B.2.
 * @param password UTF-16BE with a terminating zero, or nothing
 * @param length of the result in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS
 */
function pkcs12Kdf(hash, password, salt, iterations, purpose, length, budget) {
    // The IV goes with its key and is counted with it.
    if (purpose !== PURPOSE.iv)
        budget.spend(iterations);
    const { block } = hash;
    const diversifier = Buffer.alloc(block, purpose);
    const input = Buffer.concat([fillBlocks(salt, block), fillBlocks(password, block)]);
    const result = Buffer.alloc(length);
    for (let offset = 0; offset < length; offset += hash.length) {
        const first = (0,external_node_crypto_.createHash)(hash.name).update(diversifier).update(input).digest();
        const derived = iterate(hash, first, iterations - 1, budget);
        derived.copy(result, offset);
        const addend = fillBlocks(derived, block).subarray(0, block);
        for (let start = 0; start < input.length; start += block)
            addOne(input.subarray(start, start + block), addend);
        derived.fill(0);
    }
    input.fill(0);
    return result;
}
/**
 * PBKDF2 (RFC 8018, section 5.2).
 * @param length of the key in bytes
 * @throws Failure PFX_TOO_MANY_ITERATIONS
 */
function pbkdf2(hash, password, salt, iterations, length, budget) {
    budget.spend(iterations, iterations * Math.ceil(length / hash.length));
    return (0,external_node_crypto_.pbkdf2Sync)(password, salt, iterations, length, hash.name);
}
/** PBKDF1 (RFC 8018, section 5.1): at most one digest long. */
function pbkdf1(hash, password, salt, iterations, length, budget) {
    budget.spend(iterations);
    const first = (0,external_node_crypto_.createHash)(hash.name).update(password).update(salt).digest();
    return iterate(hash, first, iterations - 1, budget).subarray(0, length);
}
/** scrypt (RFC 7914), within 64 MiB. */
function scrypt(password, salt, cost, length, budget) {
    const { N, r, p } = cost;
    if (N < 2 || r < 1 || p < 1 || !Number.isInteger(Math.log2(N)))
        throw malformed('the parameters of scrypt are out of range');
    if (128 * r * (N + p + 2) > MAX_SCRYPT_MEMORY)
        throw tooMany(`scrypt with more than ${MAX_SCRYPT_MEMORY / 1024 / 1024} MiB of memory`);
    budget.spend(N * r * p, N * r * p);
    return (0,external_node_crypto_.scryptSync)(password, salt, length, { N, r, p, maxmem: 2 * MAX_SCRYPT_MEMORY });
}
/** Hashes `digest` so many times over. */
function iterate(hash, digest, rounds, budget) {
    const checkTime = () => {
        budget.checkTime();
    };
    if (hash === HASHES.sha1)
        return iterateSha1(digest, rounds, checkTime);
    if (hash === HASHES.sha256)
        return iterateSha256(digest, rounds, checkTime);
    let current = digest;
    for (let round = 0; round < rounds; round++) {
        if ((round & 0xfff) === 0)
            checkTime();
        current = (0,external_node_crypto_.hash)(hash.name, current, 'buffer');
    }
    return current;
}
/** Repeats `bytes` up to a multiple of the block; nothing stays nothing. */
function fillBlocks(bytes, block) {
    const filled = Buffer.alloc(block * Math.ceil(bytes.length / block));
    return bytes.length === 0 ? filled : filled.fill(bytes);
}
/** block = block + addend + 1, as big-endian numbers without the carry. */
function addOne(block, addend) {
    let carry = 1;
    for (let i = block.length - 1; i >= 0; i--) {
        carry += (block[i] ?? 0) + (addend[i] ?? 0);
        block[i] = carry & 0xff;
        carry >>= 8;
    }
}
function tooMany(what) {
    return new lib_failure/* Failure */.HR('PFX_TOO_MANY_ITERATIONS', `The .pfx asks for ${what}.`, 'Write it again with fewer: openssl pkcs12 -in cert.pfx -nodes -out cert.pem && openssl pkcs12 -export -in cert.pem -iter 2048 -out new.pfx (then delete cert.pem)');
}
function count(number) {
    return number.toLocaleString('en-US');
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/algorithms.js
/** AlgorithmIdentifiers of PKCS#12 files: which hash, which pseudo-random function, which key derivation. */



/** Reads an AlgorithmIdentifier; `what` it is for goes into errors. */
function algorithmIdentifier(element, what) {
    const [oid, parameters] = sequence(element, what);
    return { oid: objectIdentifier(oid, what), parameters };
}
const DIGESTS = {
    '1.2.840.113549.2.5': HASHES.md5,
    '1.3.14.3.2.26': HASHES.sha1,
    '2.16.840.1.101.3.4.2.4': HASHES.sha224,
    '2.16.840.1.101.3.4.2.1': HASHES.sha256,
    '2.16.840.1.101.3.4.2.2': HASHES.sha384,
    '2.16.840.1.101.3.4.2.3': HASHES.sha512,
    '2.16.840.1.101.3.4.2.5': HASHES.sha512_224,
    '2.16.840.1.101.3.4.2.6': HASHES.sha512_256,
    '1.3.6.1.4.1.1722.12.2.1.16': HASHES.blake2b512,
    '1.3.6.1.4.1.1722.12.2.2.8': HASHES.blake2s256,
};
const HMACS = {
    '1.2.840.113549.2.7': HASHES.sha1,
    '1.3.6.1.5.5.8.1.2': HASHES.sha1,
    '1.2.840.113549.2.8': HASHES.sha224,
    '1.2.840.113549.2.9': HASHES.sha256,
    '1.2.840.113549.2.10': HASHES.sha384,
    '1.2.840.113549.2.11': HASHES.sha512,
    '1.2.840.113549.2.12': HASHES.sha512_224,
    '1.2.840.113549.2.13': HASHES.sha512_256,
};
/** The hash that an AlgorithmIdentifier names. */
function digestAlgorithm({ oid }) {
    return DIGESTS[oid] ?? unsupported('the hash', oid);
}
/** The hash of the HMAC that an AlgorithmIdentifier names. */
function hmacAlgorithm({ oid }) {
    return HMACS[oid] ?? unsupported('the message authentication', oid);
}
const OID_PBKDF2 = '1.2.840.113549.1.5.12';
const OID_SCRYPT = '1.3.6.1.4.1.11591.4.11';
/** PBKDF2-params (RFC 8018, appendix A.2) or scrypt-params (RFC 7914, section 7). */
function pkcs5Kdf({ oid, parameters }) {
    if (oid === OID_SCRYPT) {
        const [salt, N, r, p, length] = sequence(parameters, 'the parameters of scrypt');
        const saltOctets = octetString(salt, 'the salt of scrypt');
        const cost = { N: integer(N, 'N of scrypt'), r: integer(r, 'r of scrypt'), p: integer(p, 'p of scrypt') };
        return {
            name: 'scrypt',
            keyLength: length && positive(integer(length, 'the key length of scrypt')),
            derive: (password, size, budget) => scrypt(password, saltOctets, cost, size, budget),
        };
    }
    if (oid !== OID_PBKDF2)
        return unsupported('the key derivation', oid);
    const [salt, iterations, ...rest] = sequence(parameters, 'the parameters of PBKDF2');
    if (salt?.tag === TAG.sequence)
        return unsupported('a salt that is kept elsewhere', OID_PBKDF2);
    const saltOctets = octetString(salt, 'the salt of PBKDF2');
    const rounds = integer(iterations, 'the iteration count of PBKDF2');
    const length = rest[0]?.tag === TAG.integer ? rest.shift() : undefined;
    const prf = rest[0] === undefined ? HASHES.sha1 : hmacAlgorithm(algorithmIdentifier(rest[0], 'the PRF of PBKDF2'));
    return {
        name: 'PBKDF2',
        keyLength: length && positive(integer(length, 'the key length of PBKDF2')),
        derive: (password, size, budget) => pbkdf2(prf, password, saltOctets, rounds, size, budget),
    };
}
/** pkcs-12PbeParams (RFC 7292, appendix C) and PBEParameter (RFC 8018, appendix A.3), which look the same. */
function saltAndIterations(parameters) {
    const [salt, iterations] = sequence(expectTag(parameters, TAG.sequence, 'the encryption parameters'), 'the encryption parameters');
    return { salt: octetString(salt, 'the salt'), iterations: integer(iterations, 'the iteration count') };
}
/** Names of what is known, but not read. */
const NAMES = {
    '1.2.840.113549.1.5.1': 'PBE-MD2-DES',
    '1.2.840.113549.1.5.4': 'PBE-MD2-RC2',
    '1.2.840.113549.3.9': 'RC5',
    '1.2.410.200004.1.4': 'SEED',
    '1.3.6.1.4.1.188.7.1.1.2': 'IDEA',
    '1.2.643.2.2.21': 'GOST 28147-89',
    '1.2.643.2.2.10': 'GOST R 34.11-94 HMAC',
    '1.2.643.2.2.9': 'GOST R 34.11-94',
    '1.2.643.2.2.19': 'GOST R 34.10-2001',
    '1.2.643.7.1.1.1.1': 'GOST R 34.10-2012 (256)',
    '1.2.643.7.1.1.1.2': 'GOST R 34.10-2012 (512)',
    '1.2.643.7.1.1.2.2': 'GOST R 34.11-2012 (256)',
    '1.2.643.7.1.1.2.3': 'GOST R 34.11-2012 (512)',
};
/** Refuses an algorithm by its name. */
function unsupported(what, oid) {
    const name = NAMES[oid];
    throw new lib_failure/* Failure */.HR('PFX_UNSUPPORTED', `The .pfx uses ${what} ${name === undefined ? oid : `${name} (${oid})`}, which is not supported.`, 'Export the certificate with one of the usual algorithms, such as TripleDES-SHA1 or AES256-SHA256 (what Windows offers), or with: openssl pkcs12 -export');
}
function positive(length) {
    if (length < 1 || length > 1024)
        throw malformed(`a key length is ${length}`);
    return length;
}

;// CONCATENATED MODULE: ./lib/certificate/x509.js
/** The few fields of an X.509 certificate (RFC 5280, section 4.1) that Node does not tell, or only as text. */

const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
const OID_KEY_USAGE = '2.5.29.15';
const OID_RSASSA_PSS = '1.2.840.113549.1.1.10';
/** Reads a certificate. @throws Failure PFX_INVALID */
function readCertificate(der) {
    const [tbs, signatureAlgorithm] = sequence(parseWhole(der), 'a certificate');
    const fields = sequence(tbs, 'a certificate');
    if (fields[0]?.tag === EXPLICIT_0)
        fields.shift();
    const [, , , validity, , publicKey, ...rest] = fields;
    const [notBefore, notAfter] = sequence(validity, 'the validity of a certificate');
    const [, bits] = sequence(publicKey, 'the public key of a certificate');
    const [signatureOid, signatureParameters] = sequence(signatureAlgorithm, 'the signature of a certificate');
    const oid = objectIdentifier(signatureOid, 'the signature of a certificate');
    return {
        notBefore: time(notBefore),
        notAfter: time(notAfter),
        signatureOid: oid,
        pssHashOid: oid === OID_RSASSA_PSS ? pssHash(signatureParameters) : undefined,
        digitalSignature: digitalSignature(rest.find((field) => field.tag === EXPLICIT_3)),
        publicKeyBits: bitString(bits),
    };
}
const UTC_TIME = /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(Z|[+-]\d{4})?$/;
const GENERALIZED_TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?(?:\.\d+)?(Z|[+-]\d{4})?$/;
/** UTCTime or GeneralizedTime; RFC 5280 wants seconds and Z, older certificates have neither. */
function time(element) {
    const text = element?.content.toString('latin1') ?? '';
    const isUtc = element?.tag === TAG.utcTime;
    const match = (isUtc ? UTC_TIME : GENERALIZED_TIME).exec(text);
    if (!match || (!isUtc && element?.tag !== TAG.generalizedTime)) {
        throw malformed('a date of the certificate cannot be read');
    }
    const [, y, month, day, hour, minute, second, zone] = match;
    // RFC 5280, section 4.1.2.5.1: two digits stand for 1950 to 2049.
    const year = isUtc ? Number(y) + (Number(y) < 50 ? 2000 : 1900) : Number(y);
    const date = new Date(0);
    date.setUTCFullYear(year, Number(month) - 1, Number(day));
    date.setUTCHours(Number(hour), Number(minute), Number(second ?? 0));
    if (zone === undefined || zone === 'Z')
        return date;
    const offset = (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3))) * 60_000;
    return new Date(date.getTime() - (zone.startsWith('-') ? -offset : offset));
}
/** RSASSA-PSS-params (RFC 4055, section 3.1). */
function pssHash(parameters) {
    if (parameters?.tag !== TAG.sequence)
        return undefined;
    const hash = parameters.children().find((field) => field.tag === EXPLICIT_0);
    const [oid] = hash ? sequence(hash.children()[0], 'the hash of a signature') : [];
    return oid && objectIdentifier(oid, 'the hash of a signature');
}
function digitalSignature(extensions) {
    for (const extension of extensions ? sequence(extensions.children()[0], 'the extensions of a certificate') : []) {
        const [id, ...values] = sequence(extension, 'an extension of a certificate');
        if (objectIdentifier(id, 'an extension of a certificate') !== OID_KEY_USAGE)
            continue;
        const usage = bitString(parseWhole(expectTag(values.at(-1), TAG.octetString, 'the key usage').octets()));
        return ((usage[0] ?? 0) & 0x80) !== 0;
    }
    return undefined;
}
/** Without the octet that counts the unused bits. */
function bitString(element) {
    return expectTag(element, TAG.bitString, 'a bit string of a certificate').content.subarray(1);
}

;// CONCATENATED MODULE: ./lib/certificate/client-certificate.js
/** What a .pfx file is for: a certificate, its private key, and what is worth knowing about them. */


/**
 * Puts together what is known of a leaf and its key.
 * @throws Failure PFX_INVALID where the certificate's own fields cannot be read
 */
function describeCertificate(leaf, privateKey, others, facts) {
    const fields = readCertificate(leaf.raw);
    const details = privateKey.asymmetricKeyDetails ?? {};
    const keyType = privateKey.asymmetricKeyType ?? 'unknown';
    const weakSignatureHash = WEAK_SIGNATURES[fields.signatureOid] ?? (isPssWithSha1(fields) ? 'sha1' : undefined);
    const curve = keyType === 'ec' ? details.namedCurve : undefined;
    return Object.freeze({
        leaf,
        privateKey,
        chain: Object.freeze(orderChain(leaf, others)),
        thumbprint: (0,external_node_crypto_.hash)('sha1', leaf.raw).toUpperCase(),
        sha256: (0,external_node_crypto_.hash)('sha256', leaf.raw).toUpperCase(),
        notBefore: fields.notBefore,
        notAfter: fields.notAfter,
        subject: oneLine(leaf.subject),
        issuer: oneLine(leaf.issuer),
        serialNumber: leaf.serialNumber,
        keyType,
        keyBits: details.modulusLength ?? keyBits(keyType, curve, fields.publicKeyBits, privateKey),
        ...(curve === undefined ? {} : { curve }),
        signatureAlgorithm: leaf.signatureAlgorithm ?? fields.signatureOid,
        ...(weakSignatureHash === undefined ? {} : { weakSignatureHash }),
        allowsDigitalSignature: fields.digitalSignature ?? true,
        ...facts,
    });
}
/** Whether the certificate is for this key. */
function belongsTogether(certificate, privateKey) {
    try {
        if (certificate.checkPrivateKey(privateKey))
            return true;
    }
    catch {
        // The certificate's key is of a type that OpenSSL does not know; look at the bits.
    }
    // An RSA certificate may say that its key is for OAEP only, which OpenSSL takes for another type of key.
    if (privateKey.asymmetricKeyType !== 'rsa')
        return false;
    const publicKey = (0,external_node_crypto_.createPublicKey)(privateKey).export({ type: 'pkcs1', format: 'der' });
    return readCertificate(certificate.raw).publicKeyBits.equals(publicKey);
}
/** Issuers from the leaf upwards, then whatever else there is, in the order of the file. */
function orderChain(leaf, others) {
    const rest = [...others];
    const chain = [];
    for (let current = leaf;;) {
        const index = rest.findIndex((candidate) => issued(current, candidate));
        const issuer = rest[index];
        if (!issuer)
            break;
        rest.splice(index, 1);
        chain.push(issuer);
        current = issuer;
    }
    return [...chain, ...rest];
}
function issued(certificate, issuer) {
    try {
        return certificate.issuer !== certificate.subject && certificate.checkIssued(issuer);
    }
    catch {
        return false;
    }
}
const WEAK_SIGNATURES = {
    '1.2.840.113549.1.1.4': 'md5',
    '1.2.840.113549.1.1.5': 'sha1',
    '1.2.840.10040.4.3': 'sha1',
    '1.2.840.10045.4.1': 'sha1',
    '1.3.14.3.2.29': 'sha1',
};
const client_certificate_OID_RSASSA_PSS = '1.2.840.113549.1.1.10';
const OID_SHA1 = '1.3.14.3.2.26';
function isPssWithSha1({ signatureOid, pssHashOid, }) {
    return signatureOid === client_certificate_OID_RSASSA_PSS && (pssHashOid ?? OID_SHA1) === OID_SHA1;
}
function keyBits(type, curve, publicKey, privateKey) {
    if (type !== 'ec')
        return type === 'ed448' ? 456 : publicKey.length * 8;
    const named = /\d{3}/.exec(curve ?? '');
    if (named)
        return Number(named[0]);
    // Explicit parameters have no name: the private value is as long as the field.
    const bits = (0,external_node_crypto_.createPublicKey)(privateKey).export({ type: 'spki', format: 'der' }).length;
    return bits === 0 ? 0 : Math.floor((publicKey.length - 1) / 2) * 8;
}
/** Node separates the parts of a name by line feeds. */
function oneLine(name) {
    return (name ?? '').split('\n').join(', ');
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/mac.js
/** The MAC over a PKCS#12 file: HMAC with PKCS#12's derivation (RFC 7292, appendix A), or PBMAC1 (RFC 9579). */




const OID_PBMAC1 = '1.2.840.113549.1.5.14';
/** RFC 9579, section 5: a shorter key can be found by trying. */
const PBMAC1_KEY_LENGTH = { least: 20, most: 64 };
/**
 * Reads MacData ::= SEQUENCE { mac DigestInfo, macSalt OCTET STRING, iterations INTEGER DEFAULT 1 }.
 * @throws Failure PFX_UNSUPPORTED, PFX_INVALID
 */
function readMac(element) {
    const [digestInfo, saltElement, iterationsElement] = sequence(element, 'the MAC');
    const [algorithmElement, digestElement] = sequence(digestInfo, 'the digest of the MAC');
    const algorithm = algorithmIdentifier(algorithmElement, 'the algorithm of the MAC');
    const expected = octetString(digestElement, 'the digest of the MAC');
    if (algorithm.oid === OID_PBMAC1)
        return pbmac1(algorithm.parameters, expected);
    const hash = digestAlgorithm(algorithm);
    const salt = octetString(saltElement, 'the salt of the MAC');
    const iterations = iterationsElement === undefined ? 1 : integer(iterationsElement, 'the iteration count of the MAC');
    return {
        name: `HMAC-${hash.name.toUpperCase()}`,
        use: 'pkcs12',
        iterations,
        verify: (data, password, budget) => fits(hash, pkcs12Kdf(hash, password, salt, iterations, PURPOSE.mac, hash.length, budget), data, expected),
    };
}
/** PBMAC1-params ::= SEQUENCE { keyDerivationFunc, messageAuthScheme }; salt and count beside it are not used. */
function pbmac1(parameters, expected) {
    const [kdfElement, schemeElement] = sequence(parameters, 'the parameters of PBMAC1');
    const kdf = pkcs5Kdf(algorithmIdentifier(kdfElement, 'the key derivation of PBMAC1'));
    const hash = hmacAlgorithm(algorithmIdentifier(schemeElement, 'the message authentication of PBMAC1'));
    const { keyLength } = kdf;
    if (keyLength === undefined || keyLength < PBMAC1_KEY_LENGTH.least || keyLength > PBMAC1_KEY_LENGTH.most) {
        throw malformed(`the key of PBMAC1 has ${keyLength ?? 'no stated number of'} bytes; RFC 9579 wants 20 to 64`);
    }
    return {
        name: `PBMAC1-${hash.name.toUpperCase()}`,
        use: 'pkcs5',
        verify: (data, password, budget) => fits(hash, kdf.derive(password, keyLength, budget), data, expected),
    };
}
function fits(hash, key, data, expected) {
    const actual = (0,external_node_crypto_.createHmac)(hash.name, key).update(data).digest();
    key.fill(0);
    return actual.length === expected.length && (0,external_node_crypto_.timingSafeEqual)(actual, expected);
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/password.js
/** From the text of a password to the bytes that a key is derived from; makers disagree on how. */

/**
 * The byte strings that one password may stand for, the likeliest first.
 *
 * RFC 7292 (appendix B.1) says UTF-16BE with a terminating zero, RFC 8018 says UTF-8, and both leave open whether an
 * empty password is no password. Outside ASCII, makers go their own ways: Java cuts characters to seven bits, NSS
 * gives UTF-16 to PBKDF2, node-forge cuts to eight bits, and macOS decomposes accents.
 */
class PasswordCandidates {
    #candidates;
    #unusual = false;
    #used = false;
    constructor(password) {
        this.#candidates = { pkcs12: list(pkcs12Forms(password)), pkcs5: list(pkcs5Forms(password)) };
    }
    /** Whether a form that no standard has was needed: other readers will not open such a file with this password. */
    get unusual() {
        return this.#unusual;
    }
    /** Whether the password was of any use so far. */
    get used() {
        return this.#used;
    }
    /** The first result that is not undefined; the form that gave it comes first from now on. */
    find(use, attempt) {
        const candidates = this.#candidates[use];
        for (const [i, candidate] of candidates.entries()) {
            const result = candidate.standard ? attempt(candidate.bytes) : attemptWithinBudget(attempt, candidate.bytes);
            if (result === undefined)
                continue;
            candidates.splice(i, 1);
            candidates.unshift(candidate);
            this.#used = true;
            this.#unusual ||= !candidate.standard;
            return result;
        }
        return undefined;
    }
    /** Overwrites what was derived from the password. */
    clear() {
        for (const { bytes } of [...this.#candidates.pkcs12, ...this.#candidates.pkcs5])
            bytes.fill(0);
    }
}
/** A guess at another encoding is no reason to say that the file asks for too much work. */
function attemptWithinBudget(attempt, bytes) {
    try {
        return attempt(bytes);
    }
    catch (error) {
        if (error instanceof lib_failure/* Failure */.HR && error.code === 'PFX_TOO_MANY_ITERATIONS')
            return undefined;
        throw error;
    }
}
/** Whether the password is written the same way in every encoding that makers use. */
function isAscii(password) {
    return /^[\x00-\x7f]*$/.test(password);
}
function pkcs12Forms(password) {
    if (password === '')
        return { standard: [bmpString(''), Buffer.alloc(0)], others: [] };
    if (isAscii(password))
        return { standard: [bmpString(password)], others: [] };
    return {
        standard: [bmpString(password)],
        others: [
            bmpString(password.normalize('NFC')),
            bmpString(password.normalize('NFD')),
            // The bytes of UTF-8 taken for letters: OpenSSL before 1.1 on a UTF-8 terminal.
            bmpString(Buffer.from(password, 'utf8').toString('latin1')),
            bmpString(lowBytes(password, 0xff).toString('latin1')),
        ],
    };
}
function pkcs5Forms(password) {
    const utf8 = Buffer.from(password, 'utf8');
    if (isAscii(password))
        return { standard: [utf8], others: [] };
    return {
        standard: [utf8],
        others: [
            Buffer.from(password.normalize('NFC'), 'utf8'),
            Buffer.from(password.normalize('NFD'), 'utf8'),
            lowBytes(password, 0xff),
            lowBytes(password, 0x7f),
            bmpString(password),
            bmpString(password).subarray(0, -2),
        ],
    };
}
/** UTF-16BE with a terminating zero. */
function bmpString(text) {
    return Buffer.from(`${text}\0`, 'utf16le').swap16();
}
function lowBytes(text, mask) {
    return Buffer.from(Array.from({ length: text.length }, (_, i) => text.charCodeAt(i) & mask));
}
function list({ standard, others }) {
    const candidates = standard.map((bytes) => ({ bytes, standard: true }));
    for (const bytes of others) {
        if (!candidates.some((candidate) => candidate.bytes.equals(bytes)))
            candidates.push({ bytes, standard: false });
    }
    return candidates;
}

;// CONCATENATED MODULE: ./lib/pkcs12/password-failures.js
/** What to say when a password does not fit: which other one would, as far as that can be tried, and never the password. */


/** PFX_WRONG_PASSWORD, with a hint where a slip at the ends of the password explains it. */
function wrongPassword(password, opensWith) {
    const hint = slips(password).find(([, other]) => opensWith(other))?.[0];
    return new lib_failure/* Failure */.HR('PFX_WRONG_PASSWORD', `The password does not open the .pfx${hint === undefined ? '' : `: ${hint}`}.`, hint === undefined
        ? 'Check it on your machine: openssl pkcs12 -in cert.pfx -noout (add -legacy for older files). In a secret every blank and line break counts; in a workflow quote it, so that YAML leaves it alone.'
        : 'Store the password again, exactly: printf %s "$PASSWORD" | gh secret set CONNECTOR_PFX_PASSWORD');
}
/** The password is right, for the contents decrypt, and the MAC is not: somebody or something changed the file. */
function damaged() {
    return new lib_failure/* Failure */.HR('PFX_DAMAGED', 'The password is right, but the .pfx was changed after it was made: its MAC does not fit.', 'Copy or export the file again.');
}
/** Without a MAC, a damaged key and a key with a password of its own look the same. */
function damagedKey() {
    return new lib_failure/* Failure */.HR('PFX_DAMAGED', 'The password opens a part of the .pfx only: another part is damaged, or has another password.', 'Export the file again, with one password for everything in it.');
}
/** The MAC fits and a content does not decrypt. */
function contentsUnreadable(password) {
    if (!isAscii(password)) {
        return new lib_failure/* Failure */.HR('PFX_PASSWORD_ENCODING', 'The password is right, but the tool that made the .pfx encoded its special letters in a way of its own.', 'Export the file again with a password of plain letters, digits and punctuation (ASCII).');
    }
    return new lib_failure/* Failure */.HR('PFX_KEY_PASSWORD_DIFFERS', 'The password is that of the .pfx, but the key or certificates in it are encrypted with another one.', 'Export it again with one password. In Java: keytool -importkeystore -srckeystore old.p12 -destkeystore new.p12 -deststoretype PKCS12, with the same password for store and key.');
}
/** The answer to a question that is asked for a hint only: what goes wrong meanwhile is no news. */
function quietly(question) {
    try {
        return question();
    }
    catch {
        return false;
    }
}
/** What people add to a password without seeing it, and the password without that. */
function slips(password) {
    const all = [
        ['without the line break at its end it would', password.replace(/[\r\n]+$/, '')],
        ['without the blanks at its end it would', password.trimEnd()],
        ['without the blanks at its start it would', password.trimStart()],
        ['without the blanks at both ends it would', password.trim()],
        ['without the quotation marks around it it would', password.replace(/^(["'])(.*)\1$/s, '$2')],
        ['the file has no password', ''],
    ];
    return all.filter(([, other]) => other !== password);
}

// EXTERNAL MODULE: external "node:child_process"
var external_node_child_process_ = __webpack_require__(1421);
;// CONCATENATED MODULE: ./lib/pkcs12/crypto/legacy-provider.js
/**
 * Ciphers that Node's OpenSSL has in its legacy provider only. That cannot be switched on in a running process, so a
 * second one decrypts, and answers within milliseconds. The key goes in by standard input, never as an argument.
 */

const SCRIPT = `
const { algorithm, key, iv, input } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));
const bytes = (text) => Buffer.from(text, 'base64');
const decipher = require('node:crypto').createDecipheriv(algorithm, bytes(key), bytes(iv)).setAutoPadding(false);
process.stdout.write(Buffer.concat([decipher.update(bytes(input)), decipher.final()]));
`;
/** Decrypts without taking off the padding; undefined where it could not be done. */
function decryptInLegacyProvider(algorithm, key, iv, input) {
    const base64 = (bytes) => bytes.toString('base64');
    const child = (0,external_node_child_process_.spawnSync)(process.execPath, ['--openssl-legacy-provider', '-e', SCRIPT], {
        input: JSON.stringify({ algorithm, key: base64(key), iv: base64(iv), input: base64(input) }),
        stdio: ['pipe', 'pipe', 'ignore'],
        // Nothing of the job's environment is needed, and no secret in it has to go along.
        env: {},
        timeout: 2_000,
        maxBuffer: input.length + 1024,
    });
    return child.status === 0 ? child.stdout : undefined;
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/rc2.js
/**
 * RC2 in CBC mode (RFC 2268), decryption only. Windows and old OpenSSL encrypt the certificates of a .pfx with its
 * 40-bit form, and Node's OpenSSL has it in the legacy provider only, which an action cannot load.
 */
/** RFC 2268, section 2: the table from the digits of \u03c0, in rows of 16. */
const PI_TABLE = Buffer.from('d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2179a59f587b34f1361456d8d09817d32' +
    'bd8f40eb86b77b0bf09521225c6b4e8254d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626' +
    '6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed708e8eade8052eef784aa72ac354d6a2a' +
    '961ad2715a1549744b9fd05e0418a4ecc2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731' +
    '2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a90d38341bab33ffb0bb480c5fb9b1cd2e' +
    'c5f3db47e5a59c770aa62068fe7fc1ad', 'hex');
/**
 * Decrypts and leaves the padding in place.
 * @param effectiveBits the effective key length (RFC 2268, section 2), 1 to 1024
 */
function rc2CbcDecrypt(key, effectiveBits, iv, input) {
    const k = expandKey(key, effectiveBits);
    const output = Buffer.from(input);
    for (let offset = 0; offset + 8 <= output.length; offset += 8)
        decryptBlock(k, output, offset);
    // CBC: each block is XORed with the ciphertext before it, the first one with the IV.
    for (const [i, byte] of output.entries())
        output[i] = byte ^ ((i < 8 ? iv[i] : input[i - 8]) ?? 0);
    k.fill(0);
    return output;
}
/** RFC 2268, section 2: 64 words of 16 bits. */
function expandKey(key, effectiveBits) {
    const pi = (i) => PI_TABLE[i & 0xff] ?? 0;
    const bytes = Buffer.alloc(128);
    bytes.set(key.subarray(0, 128));
    const get = (i) => bytes[i] ?? 0;
    for (let i = key.length; i < 128; i++)
        bytes[i] = pi(get(i - 1) + get(i - key.length));
    const effectiveBytes = Math.ceil(effectiveBits / 8);
    const mask = 0xff >> (8 * effectiveBytes - effectiveBits);
    bytes[128 - effectiveBytes] = pi(get(128 - effectiveBytes) & mask);
    for (let i = 127 - effectiveBytes; i >= 0; i--)
        bytes[i] = pi(get(i + 1) ^ get(i + effectiveBytes));
    const words = Uint16Array.from({ length: 64 }, (_, i) => bytes.readUInt16LE(2 * i));
    bytes.fill(0);
    return words;
}
/** RFC 2268, section 4: sixteen r-mixing rounds with an r-mashing round after the fifth and the eleventh. */
function decryptBlock(k, block, offset) {
    let r0 = block.readUInt16LE(offset);
    let r1 = block.readUInt16LE(offset + 2);
    let r2 = block.readUInt16LE(offset + 4);
    let r3 = block.readUInt16LE(offset + 6);
    const key = (i) => k[i & 63] ?? 0;
    for (let round = 15; round >= 0; round--) {
        const j = 4 * round;
        r3 = (rotateRight(r3, 5) - key(j + 3) - (r2 & r1) - (~r2 & r0)) & 0xffff;
        r2 = (rotateRight(r2, 3) - key(j + 2) - (r1 & r0) - (~r1 & r3)) & 0xffff;
        r1 = (rotateRight(r1, 2) - key(j + 1) - (r0 & r3) - (~r0 & r2)) & 0xffff;
        r0 = (rotateRight(r0, 1) - key(j) - (r3 & r2) - (~r3 & r1)) & 0xffff;
        if (round === 11 || round === 5) {
            r3 = (r3 - key(r2)) & 0xffff;
            r2 = (r2 - key(r1)) & 0xffff;
            r1 = (r1 - key(r0)) & 0xffff;
            r0 = (r0 - key(r3)) & 0xffff;
        }
    }
    block.writeUInt16LE(r0, offset);
    block.writeUInt16LE(r1, offset + 2);
    block.writeUInt16LE(r2, offset + 4);
    block.writeUInt16LE(r3, offset + 6);
}
function rotateRight(word, bits) {
    return ((word >>> bits) | (word << (16 - bits))) & 0xffff;
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/rc4.js
/** RC4, for files of the 1990s: Node's OpenSSL has it in the legacy provider only, which an action cannot load. */
/** Decrypts (RC4 is its own inverse). */
function rc4(key, input) {
    const state = Uint8Array.from({ length: 256 }, (_, i) => i);
    const get = (i) => state[i & 0xff] ?? 0;
    const swap = (i, j) => {
        const kept = get(i);
        state[i] = get(j);
        state[j] = kept;
    };
    for (let i = 0, j = 0; i < 256; i++) {
        j = (j + get(i) + (key[i % key.length] ?? 0)) & 0xff;
        swap(i, j);
    }
    const output = Buffer.alloc(input.length);
    let i = 0;
    let j = 0;
    for (const [n, byte] of input.entries()) {
        i = (i + 1) & 0xff;
        j = (j + get(i)) & 0xff;
        swap(i, j);
        output[n] = byte ^ get(get(i) + get(j));
    }
    state.fill(0);
    return output;
}

;// CONCATENATED MODULE: ./lib/pkcs12/crypto/pbe.js
/** Password-based encryption schemes: PKCS#12's (RFC 7292, appendix C), PBES1 and PBES2 (RFC 8018, section 6). */







/** The name of the one scheme that the service documents. */
const TRIPLE_DES_SHA1 = 'TripleDES-SHA1';
function blockCipher(name, node, keyLength, ivLength) {
    return { name, keyLength, ivLength, decrypt: (key, iv, ciphertext) => nodeCbc(node, key, iv, ciphertext) };
}
function rc2(bits, keyLength = bits / 8, name = `RC2-${bits}`) {
    return {
        name,
        keyLength,
        ivLength: 8,
        decrypt: (key, iv, ciphertext) => ciphertext.length % 8 === 0 ? unpad(rc2CbcDecrypt(key, bits, iv, ciphertext), 8) : undefined,
    };
}
function rc4Cipher(bits) {
    return {
        name: `RC4-${bits}`,
        keyLength: bits / 8,
        ivLength: 0,
        decrypt: (key, _iv, ciphertext) => rc4(key, ciphertext),
    };
}
const TRIPLE_DES = blockCipher('TripleDES', 'des-ede3-cbc', 24, 8);
/** OpenSSL keeps single DES in its legacy provider; three times the same key is the same cipher. */
const DES = {
    name: 'DES',
    keyLength: 8,
    ivLength: 8,
    decrypt: (key, iv, ciphertext) => withKey(Buffer.concat([key, key, key]), (tripled) => nodeCbc('des-ede3-cbc', tripled, iv, ciphertext)),
};
const TWO_KEY_TRIPLE_DES = {
    name: 'TripleDES-2KEY-SHA1',
    keyLength: 16,
    ivLength: 8,
    decrypt: (key, iv, ciphertext) => withKey(Buffer.concat([key, key.subarray(0, 8)]), (k) => nodeCbc('des-ede3-cbc', k, iv, ciphertext)),
};
/** RFC 7292, appendix C. */
const PKCS12_SCHEMES = {
    '1.2.840.113549.1.12.1.1': rc4Cipher(128),
    '1.2.840.113549.1.12.1.2': rc4Cipher(40),
    '1.2.840.113549.1.12.1.3': { ...TRIPLE_DES, name: TRIPLE_DES_SHA1 },
    '1.2.840.113549.1.12.1.4': TWO_KEY_TRIPLE_DES,
    '1.2.840.113549.1.12.1.5': rc2(128),
    '1.2.840.113549.1.12.1.6': rc2(40),
};
/** RFC 8018, section 6.1: the key is eight bytes and the IV the next eight. */
const PBES1_SCHEMES = {
    '1.2.840.113549.1.5.3': { cipher: { ...DES, name: 'DES-MD5' }, hash: HASHES.md5 },
    '1.2.840.113549.1.5.6': { cipher: rc2(64, 8, 'RC2-64-MD5'), hash: HASHES.md5 },
    '1.2.840.113549.1.5.10': { cipher: { ...DES, name: 'DES-SHA1' }, hash: HASHES.sha1 },
    '1.2.840.113549.1.5.11': { cipher: rc2(64, 8, 'RC2-64-SHA1'), hash: HASHES.sha1 },
};
/** Ciphers of PBES2 whose only parameter is the IV. */
const PBES2_CIPHERS = {
    '1.2.840.113549.3.7': TRIPLE_DES,
    '1.3.14.3.2.7': DES,
    '2.16.840.1.101.3.4.1.2': blockCipher('AES-128', 'aes-128-cbc', 16, 16),
    '2.16.840.1.101.3.4.1.22': blockCipher('AES-192', 'aes-192-cbc', 24, 16),
    '2.16.840.1.101.3.4.1.42': blockCipher('AES-256', 'aes-256-cbc', 32, 16),
    '1.2.392.200011.61.1.1.1.2': blockCipher('Camellia-128', 'camellia-128-cbc', 16, 16),
    '1.2.392.200011.61.1.1.1.3': blockCipher('Camellia-192', 'camellia-192-cbc', 24, 16),
    '1.2.392.200011.61.1.1.1.4': blockCipher('Camellia-256', 'camellia-256-cbc', 32, 16),
    '1.2.410.200046.1.1.2': blockCipher('ARIA-128', 'aria-128-cbc', 16, 16),
    '1.2.410.200046.1.1.7': blockCipher('ARIA-192', 'aria-192-cbc', 24, 16),
    '1.2.410.200046.1.1.12': blockCipher('ARIA-256', 'aria-256-cbc', 32, 16),
};
/** BouncyCastle writes these, though RFC 8018 does not know them. */
const GCM_CIPHERS = {
    '2.16.840.1.101.3.4.1.6': 128,
    '2.16.840.1.101.3.4.1.26': 192,
    '2.16.840.1.101.3.4.1.46': 256,
};
const OID_PBES2 = '1.2.840.113549.1.5.13';
const OID_RC2_CBC = '1.2.840.113549.3.2';
const OID_CAST5_CBC = '1.2.840.113533.7.66.10';
/**
 * Reads an encryption AlgorithmIdentifier.
 * @throws Failure PFX_UNSUPPORTED, which names the algorithm; PFX_INVALID
 */
function encryptionScheme(element) {
    const { oid, parameters } = algorithmIdentifier(element, 'the encryption algorithm');
    if (oid === OID_PBES2)
        return pbes2(parameters);
    const own = PKCS12_SCHEMES[oid];
    if (own) {
        const { salt, iterations } = saltAndIterations(parameters);
        const derive = (password, purpose, length, budget) => length === 0 ? Buffer.alloc(0) : pkcs12Kdf(HASHES.sha1, password, salt, iterations, purpose, length, budget);
        return {
            name: own.name,
            use: 'pkcs12',
            iterations,
            decrypt: (ciphertext, password, budget) => withKey(derive(password, PURPOSE.key, own.keyLength, budget), (key) => own.decrypt(key, derive(password, PURPOSE.iv, own.ivLength, budget), ciphertext)),
        };
    }
    const pbes1 = PBES1_SCHEMES[oid];
    if (!pbes1)
        return unsupported('the encryption', oid);
    const { salt, iterations } = saltAndIterations(parameters);
    return {
        name: pbes1.cipher.name,
        use: 'pkcs5',
        decrypt: (ciphertext, password, budget) => withKey(pbkdf1(pbes1.hash, password, salt, iterations, 16, budget), (derived) => pbes1.cipher.decrypt(derived.subarray(0, 8), derived.subarray(8), ciphertext)),
    };
}
/**
 * Decrypts with whichever form of the password fits, checked by what comes out: DER of one SEQUENCE. Padding alone
 * fits one wrong password in 256.
 */
function decrypt(scheme, ciphertext, passwords, budget) {
    return passwords.find(scheme.use, (password) => {
        const plaintext = scheme.decrypt(ciphertext, password, budget);
        return plaintext && isSequence(plaintext) ? plaintext : undefined;
    });
}
function pbes2(parameters) {
    const [kdfElement, cipherElement] = sequence(parameters, 'the parameters of PBES2');
    const kdf = pkcs5Kdf(algorithmIdentifier(kdfElement, 'the key derivation'));
    const { cipher, iv } = pbes2Cipher(algorithmIdentifier(cipherElement, 'the cipher'), kdf.keyLength);
    if (kdf.keyLength !== undefined && kdf.keyLength !== cipher.keyLength) {
        return unsupported(`a key of ${kdf.keyLength * 8} bits with ${cipher.name}, in`, OID_PBES2);
    }
    return {
        name: cipher.name,
        use: 'pkcs5',
        decrypt: (ciphertext, password, budget) => withKey(kdf.derive(password, cipher.keyLength, budget), (key) => cipher.decrypt(key, iv, ciphertext)),
    };
}
function pbes2Cipher({ oid, parameters }, keyLength) {
    const gcmBits = GCM_CIPHERS[oid];
    if (gcmBits !== undefined) {
        const [nonce, tagLength] = sequence(parameters, 'the parameters of AES-GCM');
        const tag = tagLength === undefined ? 12 : integer(tagLength, 'the tag length of AES-GCM');
        if (tag < 12 || tag > 16)
            throw malformed('the tag length of AES-GCM is out of range');
        return { cipher: gcm(gcmBits, tag), iv: octetString(nonce, 'the nonce of AES-GCM') };
    }
    if (oid === OID_RC2_CBC) {
        const fields = sequence(parameters, 'the parameters of RC2');
        const version = fields.length > 1 ? integer(fields.shift(), 'the RC2 version') : undefined;
        const bits = rc2EffectiveBits(version);
        return checkedIv(rc2(bits, keyLength ?? 16), octetString(fields[0], 'the IV of RC2'));
    }
    if (oid === OID_CAST5_CBC) {
        // RFC 2984 has a SEQUENCE of the IV and the key's bits; BouncyCastle writes the IV alone, as for other ciphers.
        const fields = parameters?.tag === TAG.octetString ? [parameters] : sequence(parameters, 'the parameters of CAST5');
        const bits = fields[1] === undefined ? 128 : integer(fields[1], 'the key length of CAST5');
        return checkedIv(cast5(bits), octetString(fields[0], 'the IV of CAST5'));
    }
    const cipher = PBES2_CIPHERS[oid] ?? unsupported('the cipher', oid);
    return checkedIv(cipher, octetString(expectTag(parameters, TAG.octetString, 'the IV'), 'the IV'));
}
function checkedIv(cipher, iv) {
    if (iv.length !== cipher.ivLength)
        throw malformed(`the IV of ${cipher.name} has ${iv.length} bytes`);
    return { cipher, iv };
}
/** RFC 8018, appendix B.2.3: small sizes are written in the code of RFC 2268, section 6. */
function rc2EffectiveBits(version) {
    const coded = { 160: 40, 120: 64, 58: 128 };
    if (version === undefined)
        return 32;
    const bits = coded[version] ?? version;
    if (coded[version] === undefined && (version < 256 || version > 1024))
        throw malformed('the RC2 version is unknown');
    return bits;
}
/** RFC 2144; its parameters in RFC 2984. Old BouncyCastle files have it, and its tables are not worth 8 kB here. */
function cast5(bits) {
    if (bits < 40 || bits > 128 || bits % 8 !== 0)
        throw malformed('the key length of CAST5 is out of range');
    return {
        name: `CAST5-${bits}`,
        keyLength: bits / 8,
        ivLength: 8,
        decrypt: (key, iv, input) => {
            if (input.length % 8 !== 0)
                return undefined;
            const plaintext = decryptInLegacyProvider('cast5-cbc', key, iv, input);
            return plaintext && unpad(plaintext, 8);
        },
    };
}
function gcm(bits, tagLength) {
    return {
        name: `AES-${bits}-GCM`,
        keyLength: bits / 8,
        ivLength: 12,
        decrypt: (key, iv, input) => {
            if (input.length < tagLength || iv.length === 0)
                return undefined;
            const decipher = (0,external_node_crypto_.createDecipheriv)(`aes-${bits}-gcm`, key, iv, { authTagLength: tagLength });
            decipher.setAuthTag(input.subarray(-tagLength));
            const plaintext = decipher.update(input.subarray(0, -tagLength));
            try {
                decipher.final();
                return plaintext;
            }
            catch {
                return undefined;
            }
        },
    };
}
function nodeCbc(algorithm, key, iv, ciphertext) {
    if (ciphertext.length % iv.length !== 0)
        return undefined;
    const decipher = (0,external_node_crypto_.createDecipheriv)(algorithm, key, iv).setAutoPadding(false);
    return unpad(Buffer.concat([decipher.update(ciphertext), decipher.final()]), iv.length);
}
/** Takes off the padding of RFC 8018, section 6.1.1, step 4. */
function unpad(plaintext, block) {
    const padding = plaintext.at(-1) ?? 0;
    if (padding < 1 || padding > block || plaintext.length < padding)
        return undefined;
    return plaintext.subarray(-padding).every((byte) => byte === padding) ? plaintext.subarray(0, -padding) : undefined;
}
function isSequence(plaintext) {
    try {
        return parseWhole(plaintext).tag === TAG.sequence;
    }
    catch {
        return false;
    }
}
function withKey(key, use) {
    try {
        return use(key);
    }
    finally {
        key.fill(0);
    }
}

;// CONCATENATED MODULE: ./lib/pkcs12/safe-contents.js
/** What is in a PKCS#12 file: contents, bags, attributes (RFC 7292, section 4). */



const OID_DATA = '1.2.840.113549.1.7.1';
const OID_ENVELOPED_DATA = '1.2.840.113549.1.7.3';
const OID_ENCRYPTED_DATA = '1.2.840.113549.1.7.6';
const OID_X509_CERTIFICATE = '1.2.840.113549.1.9.22.1';
const OID_LOCAL_KEY_ID = '1.2.840.113549.1.9.21';
const OID_BAG = '1.2.840.113549.1.12.10.1.';
const safe_contents_EXPLICIT_0 = 0xa0;
const MAX_NESTING = 8;
/** The octets of a ContentInfo of type data: ContentInfo ::= SEQUENCE { contentType, content [0] EXPLICIT OPTIONAL }. */
function readContent(element) {
    const [type, wrapper] = sequence(element, 'a content');
    const oid = objectIdentifier(type, 'the type of a content');
    if (oid === OID_ENVELOPED_DATA)
        throw publicKeyMode('encrypted for');
    if (oid !== OID_DATA && oid !== OID_ENCRYPTED_DATA)
        return unsupported('the content type', oid);
    const [content] = expectTag(wrapper, safe_contents_EXPLICIT_0, 'a content').children();
    if (oid === OID_DATA)
        return { encrypted: false, data: octetString(content, 'the data of a content') };
    const [, info] = sequence(content, 'an encrypted content');
    const [innerType, algorithm, ciphertext] = sequence(info, 'an encrypted content');
    objectIdentifier(innerType, 'the type of an encrypted content');
    // [0] IMPLICIT OCTET STRING: 0x80 in one piece, 0xa0 in several.
    if (!algorithm || (ciphertext?.tag !== 0x80 && ciphertext?.tag !== 0xa0))
        throw malformed('an encrypted content is empty');
    return { encrypted: true, algorithm, ciphertext: ciphertext.octets() };
}
/** Public-key integrity and privacy (RFC 7292, section 3.1): a recipient's key takes the place of the password. */
function publicKeyMode(how) {
    return new lib_failure/* Failure */.HR('PFX_UNSUPPORTED', `The .pfx is ${how} a certificate instead of protected by a password.`, 'Export it with a password, such as with: openssl pkcs12 -export');
}
/** SafeContents ::= SEQUENCE OF SafeBag. */
function readSafeContents(safeContents, nesting = 0) {
    if (nesting > MAX_NESTING)
        throw malformed(`SafeContents are nested more than ${MAX_NESTING} deep`);
    return sequence(safeContents, 'SafeContents').map((bag) => readBag(bag, nesting));
}
/** EncryptedPrivateKeyInfo ::= SEQUENCE { encryptionAlgorithm, encryptedData OCTET STRING } (RFC 5958, section 3). */
function readBag(element, nesting) {
    const [id, wrapper, attributes] = sequence(element, 'a bag');
    const oid = objectIdentifier(id, 'the type of a bag');
    if (!oid.startsWith(OID_BAG))
        return { type: 'other' };
    const [value] = expectTag(wrapper, safe_contents_EXPLICIT_0, 'the value of a bag').children();
    switch (oid.slice(OID_BAG.length)) {
        case '1':
            return {
                type: 'key',
                pkcs8: expectTag(value, TAG.sequence, 'a private key'),
                localKeyId: readLocalKeyId(attributes),
            };
        case '2': {
            const [algorithm, ciphertext] = sequence(value, 'an encrypted private key');
            return {
                type: 'shroudedKey',
                algorithm: expectTag(algorithm, TAG.sequence, 'the encryption of a private key'),
                ciphertext: octetString(ciphertext, 'an encrypted private key'),
                localKeyId: readLocalKeyId(attributes),
            };
        }
        case '3': {
            const [certificateType, certificate] = sequence(value, 'a certificate bag');
            if (objectIdentifier(certificateType, 'the type of a certificate') !== OID_X509_CERTIFICATE)
                return { type: 'other' };
            const [octets] = expectTag(certificate, safe_contents_EXPLICIT_0, 'a certificate').children();
            return { type: 'certificate', der: octetString(octets, 'a certificate'), localKeyId: readLocalKeyId(attributes) };
        }
        case '6':
            return { type: 'nested', bags: readSafeContents(expectTag(value, TAG.sequence, 'SafeContents'), nesting + 1) };
        default:
            return { type: 'other' };
    }
}
/** PKCS12Attribute ::= SEQUENCE { attrId, attrValues SET OF }; localKeyId is an OCTET STRING (RFC 2985, section 5.5.2). */
function readLocalKeyId(attributes) {
    if (attributes === undefined)
        return undefined;
    for (const attribute of expectTag(attributes, TAG.set, 'the attributes of a bag').children()) {
        const [id, values] = sequence(attribute, 'an attribute of a bag');
        if (objectIdentifier(id, 'the type of an attribute') !== OID_LOCAL_KEY_ID)
            continue;
        const [value] = expectTag(values, TAG.set, 'the values of an attribute').children();
        if (value)
            return octetString(value, 'a localKeyId').toString('hex');
    }
    return undefined;
}
/** The SEQUENCE OF in plain or decrypted octets. */
function parseContents(octets) {
    return expectTag(parseWhole(octets), TAG.sequence, 'SafeContents');
}

;// CONCATENATED MODULE: ./lib/pkcs12/open.js
/** Opens a PKCS#12 file (RFC 7292): any maker's, with any encryption in use, by its password. */












/**
 * The certificate and private key in a PKCS#12 file.
 * @param password as it was typed; '' opens files with an empty password and files without one
 * @throws Failure PFX_* for each way in which a file cannot be used, never with a secret in it
 */
function openPfx(file, password) {
    refuseOtherFormats(file);
    const budget = new WorkBudget();
    const pfx = open_readPfx(file);
    const passwords = new PasswordCandidates(password);
    const decrypted = [];
    try {
        if (pfx.mac && !macFits(pfx, passwords, budget))
            throw explainMac(pfx, password, budget);
        const opened = openContents(pfx, passwords, budget, decrypted, () => explainContents(pfx, password, passwords, budget));
        return choose(opened, {
            encryption: {
                key: opened.keySchemes.join(' and ') || 'none',
                certificates: opened.certificateSchemes.join(' and ') || 'none',
                mac: pfx.mac?.name ?? 'none',
            },
            macVerified: pfx.mac !== undefined,
            isTripleDesSha1: opened.isTripleDesSha1 && !passwords.unusual,
        });
    }
    finally {
        passwords.clear();
        for (const plaintext of decrypted)
            plaintext.fill(0);
    }
}
function open_readPfx(file) {
    const outer = parse(file);
    const rest = file.subarray(outer.end);
    if (!rest.every((byte) => HARMLESS_AT_THE_END.has(byte)))
        throw trailingData(rest.length);
    const [version, authSafe, macData] = sequence(outer, 'the file');
    const number = integer(version, 'the version');
    if (number !== 3)
        throw malformed(`its version is ${number}; only version 3 is known`);
    const content = readAuthSafe(authSafe);
    const safe = parseContents(content);
    return {
        authSafe: content,
        contents: safe.children().map(readContent),
        mac: macData && readMac(macData),
        strict: rest.length === 0 && outer.isDer() && safe.isDer(),
    };
}
const HARMLESS_AT_THE_END = new Set([0x00, 0x09, 0x0a, 0x0d, 0x1a, 0x20]);
const OID_SIGNED_DATA_DER = Buffer.from('06092a864886f70d010702', 'hex');
function readAuthSafe(element) {
    const [type] = sequence(element, 'the content');
    if (type?.encoding.equals(OID_SIGNED_DATA_DER))
        throw publicKeyMode('signed with');
    const content = readContent(element);
    if (content.encrypted)
        throw malformed('its outermost content is encrypted');
    return content.data;
}
/** .NET, which reads the file at the service, stops at these counts. */
const SERVICE_ITERATIONS = { each: 300_000, total: 1_000_000 };
function openContents(pfx, passwords, budget, decrypted, explain) {
    const keys = [];
    const certificates = [];
    const keySchemes = new Set();
    const certificateSchemes = new Set();
    const iterations = [pfx.mac?.iterations ?? 1];
    let unreadable = 0;
    let plain = pfx.strict && pfx.mac?.name === 'HMAC-SHA1';
    const decryptWith = (scheme, ciphertext) => {
        const plaintext = decrypt(scheme, ciphertext, passwords, budget);
        if (!plaintext)
            throw explain();
        iterations.push(scheme.iterations ?? 1);
        decrypted.push(plaintext);
        return plaintext;
    };
    const visit = (bag, contentScheme) => {
        switch (bag.type) {
            case 'key':
                keySchemes.add(contentScheme);
                keys.push({ key: readPrivateKey(bag.pkcs8), localKeyId: bag.localKeyId });
                break;
            case 'shroudedKey': {
                const scheme = encryptionScheme(bag.algorithm);
                keySchemes.add(scheme.name);
                plain &&= contentScheme === 'none';
                keys.push({ key: readPrivateKey(parseWhole(decryptWith(scheme, bag.ciphertext))), localKeyId: bag.localKeyId });
                break;
            }
            case 'certificate': {
                certificateSchemes.add(contentScheme);
                const certificate = tryCertificate(bag.der);
                if (certificate)
                    certificates.push({ certificate, localKeyId: bag.localKeyId });
                else
                    unreadable++;
                break;
            }
            case 'nested':
                plain = false;
                for (const inner of bag.bags)
                    visit(inner, contentScheme);
                break;
            case 'other':
                plain = false;
                break;
        }
    };
    for (const content of pfx.contents) {
        const scheme = content.encrypted ? encryptionScheme(content.algorithm) : undefined;
        const octets = content.encrypted && scheme
            ? decryptWith(scheme, content.ciphertext)
            : content.encrypted
                ? content.ciphertext
                : content.data;
        const safeContents = parseContents(octets);
        plain &&= safeContents.isDer();
        for (const bag of readSafeContents(safeContents))
            visit(bag, scheme?.name ?? 'none');
    }
    const only = (schemes) => schemes.size === 1 && schemes.has(TRIPLE_DES_SHA1);
    return {
        keys,
        certificates,
        unreadable,
        keySchemes: [...keySchemes],
        certificateSchemes: [...certificateSchemes],
        isTripleDesSha1: plain &&
            keys.length === 1 &&
            unreadable === 0 &&
            only(keySchemes) &&
            only(certificateSchemes) &&
            Math.max(...iterations) <= SERVICE_ITERATIONS.each &&
            iterations.reduce((sum, count) => sum + count, 0) <= SERVICE_ITERATIONS.total,
    };
}
/** PrivateKeyInfo ::= SEQUENCE { version, privateKeyAlgorithm, privateKey, \u2026 } (RFC 5958). */
function readPrivateKey(pkcs8) {
    const [, algorithm] = sequence(pkcs8, 'the private key');
    const { oid } = algorithmIdentifier(algorithm, 'the private key');
    const der = Buffer.from(pkcs8.encoding);
    try {
        return (0,external_node_crypto_.createPrivateKey)({ key: der, format: 'der', type: 'pkcs8' });
    }
    catch {
        // What OpenSSL says of it might quote the key; no cause, then.
        if (!KNOWN_KEY_TYPES.has(oid))
            return unsupported('a private key of the type', oid);
        throw malformed('the private key cannot be read');
    }
    finally {
        der.fill(0);
    }
}
/** RSA, RSA-PSS, DSA, EC, X25519 to Ed448: a key of one of these that cannot be read is broken, not unknown. */
const KNOWN_KEY_TYPES = new Set([
    '1.2.840.113549.1.1.1',
    '1.2.840.113549.1.1.10',
    '1.2.840.10040.4.1',
    '1.2.840.10045.2.1',
    '1.3.101.110',
    '1.3.101.111',
    '1.3.101.112',
    '1.3.101.113',
]);
function tryCertificate(der) {
    try {
        return new external_node_crypto_.X509Certificate(der);
    }
    catch {
        return undefined;
    }
}
/** The one key of the file, and the certificate whose public key is its other half. */
function choose({ keys, certificates, unreadable }, facts) {
    const [first] = keys;
    if (!first)
        throw noPrivateKey(certificates.length);
    const { key } = first;
    if (keys.some((other) => !samePublicKey(key, other.key)))
        throw severalKeys(keys, certificates);
    if (certificates.length === 0)
        throw unreadable > 0 ? malformed('its certificate cannot be read') : noCertificate();
    const keyIds = new Set(keys.map(({ localKeyId }) => localKeyId));
    keyIds.delete(undefined);
    const matching = certificates
        .filter(({ certificate }) => belongsTogether(certificate, key))
        .map((entry) => ({ ...entry, marked: keyIds.has(entry.localKeyId) }))
        .sort((a, b) => Number(b.marked) - Number(a.marked) ||
        b.certificate.validToDate.getTime() - a.certificate.validToDate.getTime());
    const leaf = matching[0]?.certificate;
    if (!leaf)
        throw unreadable > 0 ? malformed('its certificate cannot be read') : keyMismatch(certificates);
    const seen = new Set([leaf.fingerprint256]);
    const others = certificates
        .map(({ certificate }) => certificate)
        .filter(({ fingerprint256 }) => !seen.has(fingerprint256) && seen.add(fingerprint256));
    return describeCertificate(leaf, key, others, facts);
}
function samePublicKey(a, b) {
    return a === b || (0,external_node_crypto_.createPublicKey)(a).equals((0,external_node_crypto_.createPublicKey)(b));
}
function macFits(pfx, passwords, budget) {
    const { mac } = pfx;
    if (!mac)
        return true;
    return passwords.find(mac.use, (bytes) => mac.verify(pfx.authSafe, bytes, budget) || undefined) ?? false;
}
/** Why the MAC does not fit: another password, or a file that was changed. */
function explainMac(pfx, password, budget) {
    const passwords = new PasswordCandidates(password);
    if (quietly(() => decryptsAnything(pfx, passwords, budget.small())))
        return damaged();
    return wrongPassword(password, (other) => {
        return quietly(() => macFits(pfx, new PasswordCandidates(other), budget.small()));
    });
}
/** Why a content does not decrypt, though the MAC fits or there is none. */
function explainContents(pfx, password, passwords, budget) {
    if (pfx.mac)
        return contentsUnreadable(password);
    if (passwords.used)
        return damagedKey();
    return wrongPassword(password, (other) => {
        return quietly(() => decryptsAnything(pfx, new PasswordCandidates(other), budget.small()));
    });
}
/** Whether the password decrypts the first thing in the file that is encrypted. */
function decryptsAnything(pfx, passwords, budget) {
    for (const content of pfx.contents) {
        if (content.encrypted)
            return decrypt(encryptionScheme(content.algorithm), content.ciphertext, passwords, budget) !== undefined;
        for (const bag of readSafeContents(parseContents(content.data))) {
            if (bag.type === 'shroudedKey')
                return decrypt(encryptionScheme(bag.algorithm), bag.ciphertext, passwords, budget) !== undefined;
        }
    }
    return false;
}
const EXPORT_WITH_KEY = 'Export it together with its private key: on Windows tick "Yes, export the private key", or use openssl pkcs12 -export -inkey key.pem -in cert.pem -out cert.pfx';
function noPrivateKey(certificates) {
    const what = certificates === 0 ? 'nothing in it: no private key and no certificate' : 'no private key in it';
    return new lib_failure/* Failure */.HR('PFX_NO_PRIVATE_KEY', `The .pfx opens, and has ${what}.`, EXPORT_WITH_KEY);
}
function noCertificate() {
    return new lib_failure/* Failure */.HR('PFX_NO_CERTIFICATE', 'The .pfx opens, and has a private key in it, but no certificate.', EXPORT_WITH_KEY);
}
function keyMismatch(certificates) {
    const subjects = certificates
        .slice(0, 5)
        .map(({ certificate }) => JSON.stringify(certificate.subject.split('\n').join(', ')));
    return new lib_failure/* Failure */.HR('PFX_KEY_MISMATCH', `The private key in the .pfx belongs to none of its certificates (${subjects.join('; ')}).`, 'Build the file anew from the certificate and the key that it was issued for. These two print the same: openssl x509 -in cert.pem -noout -pubkey, and openssl pkey -in key.pem -pubout');
}
function severalKeys(keys, certificates) {
    const subjects = certificates
        .filter(({ certificate }) => keys.some(({ key }) => belongsTogether(certificate, key)))
        .slice(0, 10)
        .map(({ certificate }) => JSON.stringify(certificate.subject.split('\n').join(', ')));
    return new lib_failure/* Failure */.HR('PFX_SEVERAL_KEYS', `The .pfx has several private keys in it${subjects.length > 0 ? `, for ${subjects.join('; ')}` : ''}, and nothing says which is meant.`, 'Export the one certificate that is meant, with its key: keytool -importkeystore -srckeystore many.p12 -srcalias NAME -destkeystore one.p12 -deststoretype PKCS12');
}
function trailingData(length) {
    return new lib_failure/* Failure */.HR('PFX_TRAILING_DATA', `After the end of the .pfx come ${length} more bytes.`, 'Were two files joined, or was a message of a tool written into it? Export or copy the file again.');
}

;// CONCATENATED MODULE: ./lib/certificate/suitability.js
/** Whether a certificate is fit for an API connector, and what is odd about it. */

const DAY = 86_400_000;
/** The service's documents ask for RSA with 2048 bits. */
const RSA_BITS = 2048;
/**
 * What a person should know before this certificate is uploaded, one sentence each.
 * @param minimumDaysLeft refuse what expires within so many days of `now`
 * @throws Failure CERTIFICATE_EXPIRED, CERTIFICATE_EXPIRES_TOO_SOON
 */
function assess(certificate, now, minimumDaysLeft) {
    refuseExpired(certificate, now, minimumDaysLeft);
    const { keyType, keyBits } = certificate;
    const warnings = [];
    if (certificate.notBefore > now) {
        warnings.push(`The certificate is not valid yet: its time begins at ${seconds(certificate.notBefore)}.`);
    }
    if (keyType !== 'rsa') {
        warnings.push(`The key is ${keyType.toUpperCase()}; the service's documents ask for RSA with ${RSA_BITS} bits.`);
    }
    else if (keyBits < RSA_BITS) {
        warnings.push(`The RSA key has ${keyBits} bits; the service's documents ask for ${RSA_BITS}, and fewer are not safe.`);
    }
    if (certificate.weakSignatureHash !== undefined) {
        warnings.push(`The certificate is signed with ${certificate.weakSignatureHash.toUpperCase()} (${certificate.signatureAlgorithm}), which is broken; servers may refuse it.`);
    }
    if (!certificate.allowsDigitalSignature) {
        warnings.push('The certificate has a key usage without digitalSignature; servers may refuse it from a client.');
    }
    return warnings;
}
function refuseExpired(certificate, now, minimumDaysLeft) {
    const { notAfter } = certificate;
    const renew = 'Renew the certificate, store the new .pfx in the secret, and run this again.';
    if (notAfter < now) {
        throw new lib_failure/* Failure */.HR('CERTIFICATE_EXPIRED', `The certificate expired at ${seconds(notAfter)}.`, renew);
    }
    const left = notAfter.getTime() - now.getTime();
    if (left < minimumDaysLeft * DAY) {
        throw new lib_failure/* Failure */.HR('CERTIFICATE_EXPIRES_TOO_SOON', `The certificate expires at ${seconds(notAfter)}, in ${Math.floor(left / DAY)} days; minimum-days-left asks for ${minimumDaysLeft}.`, renew);
    }
}
/** ISO 8601 in UTC, whole seconds. */
function seconds(date) {
    return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

;// CONCATENATED MODULE: ./lib/pkcs12/asn1/der.js
/** A writer for DER (ITU-T X.690, section 10): as much of it as a PKCS#12 file takes. */

/** One element: identifier, shortest length, content. */
function der_element(tag, ...contents) {
    const content = Buffer.concat(contents);
    return Buffer.concat([Buffer.of(tag, ...lengthOctets(content.length)), content]);
}
/** SEQUENCE. */
function sequenceOf(...contents) {
    return der_element(TAG.sequence, ...contents);
}
/** SET OF: in the order of the encodings (X.690, section 11.6). */
function setOf(...contents) {
    return der_element(TAG.set, ...contents.toSorted((a, b) => Buffer.compare(a, b)));
}
/** OCTET STRING. */
function octets(content) {
    return der_element(TAG.octetString, content);
}
/** INTEGER from 0 to 2^31 - 1. */
function unsigned(value) {
    const bytes = Buffer.alloc(5);
    bytes.writeUInt32BE(value, 1);
    let start = 0;
    while (start < 4 && bytes[start] === 0 && (bytes[start + 1] ?? 0) < 0x80)
        start++;
    return der_element(TAG.integer, bytes.subarray(start));
}
/** NULL. */
function nothing() {
    return der_element(TAG.null);
}
/** [number] EXPLICIT. */
function explicit(number, content) {
    return der_element(0xa0 | number, content);
}
/** OBJECT IDENTIFIER from its dotted form. */
function oid(dotted) {
    const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
    return der_element(TAG.oid, Buffer.from([first * 40 + second, ...rest].flatMap(base128)));
}
function base128(arc) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7)
        digits.unshift(0x80 | (left & 0x7f));
    return digits;
}
function lengthOctets(length) {
    if (length < 0x80)
        return [length];
    const digits = [];
    for (let left = length; left > 0; left >>>= 8)
        digits.unshift(left & 0xff);
    return [0x80 | digits.length, ...digits];
}

;// CONCATENATED MODULE: ./lib/pkcs12/write.js
/** Writes a PKCS#12 file the way the service takes it: TripleDES-SHA1 throughout. */




/** What OpenSSL, Windows and the service have agreed on for twenty years. */
const ITERATIONS = 2048;
const SALT_LENGTH = 8;
const OID = {
    data: '1.2.840.113549.1.7.1',
    encryptedData: '1.2.840.113549.1.7.6',
    tripleDesSha1: '1.2.840.113549.1.12.1.3',
    shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
    certificateBag: '1.2.840.113549.1.12.10.1.3',
    x509Certificate: '1.2.840.113549.1.9.22.1',
    localKeyId: '1.2.840.113549.1.9.21',
    sha1: '1.3.14.3.2.26',
};
/** The file itself where it is TripleDES-SHA1 already, else a new one with the same key, leaf, chain and password. */
function encodeForService(file, certificate, password) {
    if (certificate.isTripleDesSha1)
        return { bytes: Buffer.from(file) };
    return { bytes: writeTripleDesSha1(certificate, password), reencodedFrom: protection(certificate) };
}
/**
 * A PKCS#12 file (RFC 7292) in DER: key and certificates in PBE-SHA1-3DES, HMAC-SHA1, 2,048 iterations, fresh salts.
 * Every reader of such files knows these.
 */
function writeTripleDesSha1(certificate, password) {
    const { leaf, privateKey, chain } = certificate;
    const secret = bmpString(password);
    const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'der' });
    try {
        const mark = attribute(OID.localKeyId, octets((0,external_node_crypto_.hash)('sha1', leaf.raw, 'buffer')));
        const certificates = sequenceOf(certificateBag(leaf.raw, mark), ...chain.map(({ raw }) => certificateBag(raw)));
        const { algorithm, ciphertext } = encrypt(certificates, secret);
        const encryptedCertificates = sequenceOf(unsigned(0), sequenceOf(oid(OID.data), algorithm, der_element(0x80, ciphertext)));
        const authSafe = sequenceOf(contentInfo(OID.encryptedData, encryptedCertificates), contentInfo(OID.data, octets(sequenceOf(keyBag(pkcs8, secret, mark)))));
        return sequenceOf(unsigned(3), contentInfo(OID.data, octets(authSafe)), macData(authSafe, secret));
    }
    finally {
        pkcs8.fill(0);
        secret.fill(0);
    }
}
/** In words, such as `AES-256`, or `RC2-40 with a TripleDES-SHA1 key`. */
function protection({ encryption }) {
    const { key, certificates, mac } = encryption;
    if (key !== certificates)
        return `${certificates} (certificates) and ${key} (key)`;
    return key === 'TripleDES-SHA1' && mac !== 'HMAC-SHA1' ? `${key} with ${mac === 'none' ? 'no MAC' : mac}` : key;
}
function contentInfo(type, content) {
    return sequenceOf(oid(type), explicit(0, content));
}
function certificateBag(der, ...attributes) {
    const value = sequenceOf(oid(OID.x509Certificate), explicit(0, octets(der)));
    return bag(OID.certificateBag, value, attributes);
}
function keyBag(pkcs8, secret, ...attributes) {
    const { algorithm, ciphertext } = encrypt(pkcs8, secret);
    return bag(OID.shroudedKeyBag, sequenceOf(algorithm, octets(ciphertext)), attributes);
}
function bag(type, value, attributes) {
    return sequenceOf(oid(type), explicit(0, value), ...(attributes.length === 0 ? [] : [setOf(...attributes)]));
}
function attribute(type, value) {
    return sequenceOf(oid(type), setOf(value));
}
/** pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C). */
function encrypt(plaintext, secret) {
    const salt = (0,external_node_crypto_.randomBytes)(SALT_LENGTH);
    const key = derive(secret, salt, PURPOSE.key, 24);
    const cipher = (0,external_node_crypto_.createCipheriv)('des-ede3-cbc', key, derive(secret, salt, PURPOSE.iv, 8));
    const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
    key.fill(0);
    return { algorithm: sequenceOf(oid(OID.tripleDesSha1), sequenceOf(octets(salt), unsigned(ITERATIONS))), ciphertext };
}
/** MacData (RFC 7292, appendix A). */
function macData(authSafe, secret) {
    const salt = (0,external_node_crypto_.randomBytes)(SALT_LENGTH);
    const key = derive(secret, salt, PURPOSE.mac, 20);
    const digest = (0,external_node_crypto_.createHmac)('sha1', key).update(authSafe).digest();
    key.fill(0);
    const digestInfo = sequenceOf(sequenceOf(oid(OID.sha1), nothing()), octets(digest));
    return sequenceOf(digestInfo, octets(salt), unsigned(ITERATIONS));
}
function derive(secret, salt, purpose, length) {
    return pkcs12Kdf(HASHES.sha1, secret, salt, ITERATIONS, purpose, length, new WorkBudget());
}

;// CONCATENATED MODULE: ./lib/report/summary.js
/** The job summary: what a person reads in ten seconds. Everything foreign in it is escaped. */




/** The summary of the upload step. */
function uploadSummary(outcomes, certificate, now) {
    return [
        '## API connector certificate',
        '',
        uploadResult(outcomes),
        '',
        `New certificate <code>${certificate.thumbprint}</code>, valid from ${day(certificate.notBefore)} to ${day(certificate.notAfter)} (${left(certificate.notAfter, now)}).`,
        '',
        '| connector | target | before \u2192 after | active | days left | result |',
        '| --- | --- | --- | --- | --- | --- |',
        ...outcomes.map((outcome) => row([
            `${(0,clean/* markdown */.wD)((0,outputs/* nameOf */.Vb)(outcome.id, outcome.connector), 80)}<br><code>${(0,clean/* markdown */.wD)(outcome.id, 80)}</code>`,
            host(outcome.connector),
            outcome.result === 'changed'
                ? `${authentication(outcome.before)} \u2192 ${authentication(outcome.connector)}`
                : authentication(outcome.connector),
            (0,outputs/* isActive */.$m)(outcome, certificate.thumbprint) ? 'yes' : 'no',
            daysLeft(outcome.connector, now),
            (0,clean/* markdown */.wD)(outcome.failure ? `${outcome.failure.code}: ${outcome.failure.message}` : outcome.text, 600),
        ])),
        '',
        ...nextSteps(outcomes, certificate, now),
        ...timeline(outcomes.map(({ id, connector }) => ({ id, connector })), now),
        ...outcomes.flatMap(({ id, connector }) => certificateTable(id, connector, now)),
    ].join('\n');
}
/** The summary of the check step. */
function checkSummary(findings, now) {
    const count = (status) => findings.filter((finding) => finding.status === status).length;
    const [failing, warning] = [count('failing'), count('warning')];
    return [
        '## API connector certificates',
        '',
        failing > 0
            ? `\u274c ${plural(failing, 'connector')} of ${findings.length} failing, ${warning} with a warning.`
            : warning > 0
                ? `\u26a0\ufe0f ${plural(warning, 'connector')} of ${findings.length} with a warning.`
                : `\u2705 ${plural(findings.length, 'connector')} fine.`,
        '',
        '| connector | target | authenticates with | days left | finding |',
        '| --- | --- | --- | --- | --- |',
        ...findings.map((finding) => row([
            `${(0,clean/* markdown */.wD)((0,outputs/* nameOf */.Vb)(finding.id, finding.connector), 80)}<br><code>${(0,clean/* markdown */.wD)(finding.id, 80)}</code>`,
            host(finding.connector),
            authentication(finding.connector),
            finding.daysLeft === undefined ? '' : String(finding.daysLeft),
            `${{ ok: '\u2705', warning: '\u26a0\ufe0f', failing: '\u274c' }[finding.status]} ${(0,clean/* markdown */.wD)(finding.text, 600)}`,
        ])),
        '',
        ...timeline(findings, now),
        ...findings.flatMap(({ id, connector }) => certificateTable(id, connector, now)),
    ].join('\n');
}
/** Appends to the job's summary. What was done is done: a summary that cannot be written does not turn the step red. */
function appendSummary(text) {
    const file = process.env['GITHUB_STEP_SUMMARY'];
    if (!file)
        return;
    try {
        (0,external_node_fs_.appendFileSync)(file, `${text}\n`);
    }
    catch (error) {
        (0,core/* info */.pq)(`The job summary could not be written: ${(0,clean/* clean */.uH)(error instanceof Error ? error.message : '')}`);
    }
}
/** One line that tells how the step ended. */
function uploadResult(outcomes) {
    const count = (result) => outcomes.filter((outcome) => outcome.result === result).length;
    const parts = [
        count('changed') > 0 ? `${plural(count('changed'), 'connector')} updated` : '',
        count('would-change') > 0 ? `${plural(count('would-change'), 'connector')} would be updated (dry run)` : '',
        count('unchanged') > 0 ? `${plural(count('unchanged'), 'connector')} left unchanged` : '',
        count('failed') > 0 ? `${plural(count('failed'), 'connector')} failed` : '',
    ];
    return `${count('failed') > 0 ? '\u274c' : '\u2705'} ${parts.filter((part) => part !== '').join(', ')}.`;
}
/** What to do next, if anything. */
function nextSteps(outcomes, certificate, now) {
    const steps = [];
    if (outcomes.some(({ failure }) => failure))
        steps.push('Mend what failed (the annotations of this run say how) and run the job again: connectors that are done are left alone.');
    if (certificate.notBefore > now)
        steps.push(`Let the API accept the new certificate before ${day(certificate.notBefore)}, when the service switches to it.`);
    else if (outcomes.some(({ result }) => result === 'changed'))
        steps.push('Let the API accept the old certificate for a while yet, then take it away there.');
    for (const text of outcomes.flatMap(({ warnings }) => warnings))
        steps.push(`\u26a0\ufe0f ${text}`);
    return steps.length === 0 ? [] : ['**Next**', '', ...steps.map((step) => `- ${(0,clean/* markdown */.wD)(step, 600)}`), ''];
}
/** Mermaid's gantt chart: a bar a certificate. Only letters, digits and dates go in, since its grammar has no escapes. */
function timeline(items, now) {
    const charted = items.filter(({ connector }) => (connector?.certificates.length ?? 0) > 0).slice(0, 10);
    const bars = charted.flatMap(({ id, connector }) => [
        `  section ${(0,outputs/* nameOf */.Vb)(id, connector)
            .replace(/[^\p{L}\p{N} -]/gu, ' ')
            .trim()
            .slice(0, 40) || 'connector'}`,
        ...(0,outputs/* byAge */.jI)(connector?.certificates ?? [])
            .slice(-6)
            .flatMap((entry) => bar(entry, now)),
    ]);
    if (bars.length === charted.length)
        return [];
    return ['```mermaid', 'gantt', '  dateFormat YYYY-MM-DD', '  axisFormat %Y-%m', ...bars, '```', ''];
}
function bar(entry, now) {
    const [from, to] = [date(entry.notBefore), date(entry.notAfter)];
    if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime()))
        return [];
    const state = entry.isActive ? 'active, ' : to < now ? 'done, ' : '';
    return [
        `  ${entry.thumbprint.replace(/[^0-9A-F]/g, '').slice(0, 8)}${entry.isActive ? ' active' : ''} :${state}${day(from)}, ${day(to)}`,
    ];
}
/** Oldest to newest, and which one is active. */
function certificateTable(id, connector, now) {
    if (!connector || connector.certificates.length === 0)
        return [];
    return [
        `<details><summary>Certificates of ${(0,clean/* markdown */.wD)((0,outputs/* nameOf */.Vb)(id, connector), 80)}</summary>`,
        '',
        '| thumbprint | valid from | to | | active |',
        '| --- | --- | --- | --- | --- |',
        ...(0,outputs/* byAge */.jI)(connector.certificates).map((entry) => row([
            `<code>${(0,clean/* markdown */.wD)(entry.thumbprint, 64)}</code>`,
            (0,outputs/* isoSeconds */.nE)(date(entry.notBefore)),
            (0,outputs/* isoSeconds */.nE)(date(entry.notAfter)),
            left(date(entry.notAfter), now),
            entry.isActive ? 'yes' : 'no',
        ])),
        '',
        '</details>',
        '',
    ];
}
function row(cells) {
    return `| ${cells.join(' | ')} |`;
}
function host(connector) {
    const url = connector?.targetUrl ?? '';
    return URL.canParse(url) ? (0,clean/* markdown */.wD)(new URL(url).host, 100) : '';
}
/** Of the certificate that the connector authenticates with now. */
function daysLeft(connector, now) {
    const days = active(connector).map((entry) => (0,outputs/* daysUntil */.AQ)(date(entry.notAfter), now));
    return days.filter((count) => !Number.isNaN(count)).join(', ');
}
function active(connector) {
    return connector?.certificates.filter((entry) => entry.isActive).slice(0, 1) ?? [];
}
/** What a connector authenticates with, in a few letters. */
function authentication(connector) {
    if (connector === undefined)
        return 'not known';
    if (connector.authentication === 'basic')
        return 'user name and password';
    const [current] = active(connector);
    if (current)
        return `<code>${(0,clean/* markdown */.wD)(current.thumbprint.slice(0, 8))}</code> until ${day(date(current.notAfter))}`;
    return connector.authentication === 'certificate'
        ? 'no active certificate'
        : connector.authentication === 'none'
            ? 'nothing'
            : 'something unknown';
}
function left(date, now) {
    const days = (0,outputs/* daysUntil */.AQ)(date, now);
    return Number.isNaN(days) ? '' : days < 0 ? 'expired' : `${plural(days, 'day')} left`;
}
function date(seconds) {
    return new Date(seconds * 1000);
}
function day(date) {
    return (0,outputs/* isoSeconds */.nE)(date).slice(0, 10);
}
function plural(n, noun) {
    return `${n} ${noun}${n === 1 ? '' : 's'}`;
}

;// CONCATENATED MODULE: ./lib/main.js
/** The stories of the two steps, each line a step of it. The only file that knows the order. */











/** So many connectors are worked on at a time. */
const AT_A_TIME = 4;
/** Runs the step to its end; whatever happens is reported here, and nowhere else. */
async function run(ahead) {
    try {
        const inputs = readInputs();
        await (inputs.step === 'check' ? check(inputs, ahead) : upload(inputs, ahead));
    }
    catch (error) {
        (0,outputs/* reportFailure */.xV)(error);
    }
}
/** inputs \u2192 certificate \u2192 sign-in \u2192 connectors \u2192 report */
async function upload(inputs, ahead) {
    const upload = inGroup('Certificate', () => openCertificate(inputs));
    const { certificate } = upload;
    (0,outputs/* setCertificateOutputs */.U7)(certificate);
    // What talks to the network is loaded only where the file is fit for it.
    const [{ withSession }, { TargetCheck, updateConnector }] = await Promise.all([
        Promise.resolve(/* import() eager */).then(__webpack_require__.bind(__webpack_require__, 4398)),
        Promise.resolve(/* import() eager */).then(__webpack_require__.bind(__webpack_require__, 2756)),
    ]);
    let done = 0;
    const outcomes = await withSession(inputs, ahead, async (session) => {
        const target = new TargetCheck(session, certificate);
        return await (0,concurrency/* mapAtMost */.X)(AT_A_TIME, inputs.connectorIds, async (id) => {
            const outcome = await updateConnector(session, id, inputs, upload, target);
            (0,outputs/* logOutcome */.fW)(outcome, ++done, inputs.connectorIds.length);
            return outcome;
        });
    });
    (0,outputs/* setConnectorOutputs */.cZ)(outcomes, certificate);
    appendSummary(uploadSummary(outcomes, certificate, new Date()));
    for (const { warnings, failure } of outcomes) {
        (0,outputs/* warn */.R8)(warnings, 'API connector');
        if (failure)
            (0,outputs/* reportFailure */.xV)(failure);
    }
    (0,core/* info */.pq)(uploadResult(outcomes));
}
/** inputs \u2192 sign-in \u2192 connectors \u2192 report */
async function check(inputs, ahead) {
    const { withSession } = await Promise.resolve(/* import() eager */).then(__webpack_require__.bind(__webpack_require__, 4398));
    const findings = await withSession(inputs, ahead, async (session) => await findAll(session, inputs)).catch((error) => {
        setUncheckedOutputs();
        throw error;
    });
    for (const finding of findings)
        (0,core/* info */.pq)(`API connector ${(0,outputs/* nameOf */.Vb)(finding.id, finding.connector)}: ${finding.text}`);
    setCheckOutputs(findings);
    appendSummary(checkSummary(findings, new Date()));
    for (const { status, id, connector, text, failure } of findings) {
        if (failure)
            (0,outputs/* reportFailure */.xV)(failure);
        else if (status === 'warning')
            (0,outputs/* warn */.R8)([`API connector ${(0,outputs/* nameOf */.Vb)(id, connector)}: ${text}`], 'API connector');
    }
}
async function findAll({ graph }, inputs) {
    const now = new Date();
    if (inputs.connectorIds === 'all')
        return (await graph.listConnectors()).map((connector) => judge(connector, inputs, now));
    return await (0,concurrency/* mapAtMost */.X)(AT_A_TIME, inputs.connectorIds, async (id) => {
        try {
            return judge(await graph.getConnector(id), inputs, now);
        }
        catch (error) {
            return unread(id, error);
        }
    });
}
function inGroup(title, work) {
    (0,core/* startGroup */.Oh)(title);
    try {
        return work();
    }
    finally {
        (0,core/* endGroup */.N4)();
    }
}
/** Opens the .pfx, says everything that is wrong with it, and writes it anew where the service would not take it. */
function openCertificate(inputs) {
    const now = new Date();
    const pfx = readPfx(inputs.pfx);
    (0,core/* setSecret */.Pq)(pfx.bytes.toString('base64'));
    const certificate = openPfx(pfx.bytes, inputs.password);
    (0,core/* info */.pq)(`Certificate ${certificate.thumbprint}, ${(0,clean/* clean */.uH)(certificate.subject)}: ${certificate.keyType.toUpperCase()} ${certificate.keyBits}, valid from ${(0,outputs/* isoSeconds */.nE)(certificate.notBefore)} to ${(0,outputs/* isoSeconds */.nE)(certificate.notAfter)} (${(0,outputs/* daysUntil */.AQ)(certificate.notAfter, now)} days left).`);
    if (pfx.note !== undefined)
        (0,core/* info */.pq)(pfx.note);
    (0,outputs/* warn */.R8)(assess(certificate, now, inputs.minimumDaysLeft), 'Certificate');
    const encoded = encodeForService(pfx.bytes, certificate, inputs.password);
    const pkcs12Value = encoded.bytes.toString('base64');
    (0,core/* setSecret */.Pq)(pkcs12Value);
    if (encoded.reencodedFrom !== undefined) {
        (0,core/* info */.pq)(`Re-encoded from ${encoded.reencodedFrom} to TripleDES-SHA1, which the service takes; key and certificate unchanged.`);
    }
    return { certificate, pkcs12Value };
}


/***/ }),

/***/ 8568:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   $m: () => (/* binding */ isActive),
/* harmony export */   AQ: () => (/* binding */ daysUntil),
/* harmony export */   Lz: () => (/* binding */ shownConnector),
/* harmony export */   R8: () => (/* binding */ warn),
/* harmony export */   U7: () => (/* binding */ setCertificateOutputs),
/* harmony export */   Vb: () => (/* binding */ nameOf),
/* harmony export */   cZ: () => (/* binding */ setConnectorOutputs),
/* harmony export */   fW: () => (/* binding */ logOutcome),
/* harmony export */   h_: () => (/* binding */ asFailure),
/* harmony export */   jI: () => (/* binding */ byAge),
/* harmony export */   nE: () => (/* binding */ isoSeconds),
/* harmony export */   xV: () => (/* binding */ reportFailure)
/* harmony export */ });
/* harmony import */ var _actions_core__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(6120);
/* harmony import */ var _text_clean_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(4874);
/* harmony import */ var _failure_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1957);
/** What the steps tell: outputs, log lines and annotations. The job summary is in summary.ts. */



const DAY = 86_400_000;
/** ISO 8601 in UTC, whole seconds: `2022-10-21T11:08:42Z`. */
function isoSeconds(date) {
    return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
/** Whole days from `now` to `date`, rounded down; negative in the past. */
function daysUntil(date, now) {
    return Math.floor((date.getTime() - now.getTime()) / DAY);
}
/** Nobody reads more, and outputs and summaries have a limit. */
const SHOWN_CERTIFICATES = 50;
/** Oldest first; of very many the active ones and the newest. */
function byAge(certificates) {
    const ascending = (a, b) => a.notBefore - b.notBefore || a.notAfter - b.notAfter;
    const active = certificates.filter((entry) => entry.isActive).slice(0, SHOWN_CERTIFICATES / 2);
    const others = certificates.filter((entry) => !entry.isActive).sort(ascending);
    return [...active, ...others.slice(-(SHOWN_CERTIFICATES - active.length))].sort(ascending);
}
/** Whether the connector authenticates with this certificate now, as far as was seen. */
function isActive(outcome, thumbprint) {
    return outcome.connector?.certificates.some((entry) => entry.thumbprint === thumbprint && entry.isActive) ?? false;
}
/** The certificate's own outputs; set as soon as it is known, so that they are there after a failure too. */
function setCertificateOutputs(certificate) {
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('thumbprint', certificate.thumbprint);
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('not-after', isoSeconds(certificate.notAfter));
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('not-before', isoSeconds(certificate.notBefore));
}
/** The outputs that tell what became of the connectors. */
function setConnectorOutputs(outcomes, certificate) {
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('is-active', String(outcomes.every((outcome) => isActive(outcome, certificate.thumbprint))));
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('uploaded', String(outcomes.some((outcome) => outcome.result === 'changed')));
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .setOutput */ .uH)('connectors', JSON.stringify(outcomes.map((outcome) => connectorOutput(outcome, certificate))));
}
function connectorOutput(outcome, certificate) {
    return {
        ...shownConnector(outcome.id, outcome.connector),
        uploaded: outcome.result === 'changed',
        isActive: isActive(outcome, certificate.thumbprint),
        thumbprint: certificate.thumbprint,
        notBefore: certificate.notBefore.getTime() / 1000,
        notAfter: certificate.notAfter.getTime() / 1000,
        certificates: byAge(outcome.connector?.certificates ?? []),
        ...(outcome.failure ? { failure: outcome.failure.code } : {}),
    };
}
/** What every output tells of a connector, cleaned. */
function shownConnector(id, connector) {
    return { id, displayName: (0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)(connector?.displayName), targetUrl: (0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .cleanUrl */ .TG)(connector?.targetUrl ?? '', 2000) };
}
/** The connector's name as a person knows it, or its id. */
function nameOf(id, connector) {
    return (0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)(connector?.displayName, 80) || (0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)(id, 80);
}
/** One line a connector, with how far the step has come where there are several. */
function logOutcome(outcome, n, all) {
    const progress = all > 1 ? `[${n}/${all}] ` : '';
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .info */ .pq)(`${progress}API connector ${nameOf(outcome.id, outcome.connector)}: ${outcome.failure?.message ?? outcome.text}`);
}
/** Says each of these as an annotation. */
function warn(messages, title) {
    for (const message of messages)
        (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .warning */ .$e)(message, { title });
}
/** Reports the failure as an annotation whose title is its code, and marks the step as failed. */
function reportFailure(error) {
    const failure = asFailure(error);
    (0,_actions_core__WEBPACK_IMPORTED_MODULE_1__/* .error */ .z3)(`${failure.message}\n${failure.remedy}`, { title: failure.code });
    process.exitCode = 1;
}
/** Anything that was thrown, explained as far as it can be. */
function asFailure(error) {
    if (error instanceof _failure_js__WEBPACK_IMPORTED_MODULE_0__/* .Failure */ .HR)
        return error;
    return new _failure_js__WEBPACK_IMPORTED_MODULE_0__/* .Failure */ .HR('INTERNAL_ERROR', `Something went wrong that this action does not know: ${(0,_text_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)(error instanceof Error ? `${error.name}: ${error.message}` : String(error))}`, 'Please report it, with this message and the version of the action.', { cause: error });
}


/***/ }),

/***/ 2022:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  exchange: () => (/* binding */ exchange)
});

// EXTERNAL MODULE: ./lib/node_modules/@actions/core/lib/core.js + 3 modules
var core = __webpack_require__(6120);
// EXTERNAL MODULE: ./lib/node_modules/@azure/msal-node/dist/client/ConfidentialClientApplication.mjs + 90 modules
var ConfidentialClientApplication = __webpack_require__(7559);
// EXTERNAL MODULE: ./lib/text/clean.js
var clean = __webpack_require__(4874);
// EXTERNAL MODULE: ./lib/failure.js
var failure = __webpack_require__(1957);
// EXTERNAL MODULE: ./lib/http/refusal.js
var http_refusal = __webpack_require__(3988);
;// CONCATENATED MODULE: ./lib/sign-in/entra-refusal.js
/**
 * What Microsoft Entra's token endpoint says when it refuses, and what helps.
 * @see https://learn.microsoft.com/entra/identity-platform/reference-error-codes
 */



/** A federated credential that was just made takes a while to be known everywhere. */
const SPREADING = 30_000;
const noMatch = {
    code: 'FEDERATED_CREDENTIAL_MISMATCH',
    what: ({ application }) => `No federated credential of the application ${application.clientId} fits this job`,
    remedy: (presented) => `${presentedClaims(presented)}\n${subjectForm(presented.idToken.subject)}Register exactly these (upper and lower case count):\n${createCommand(presented)}`,
    again: true,
    within: SPREADING,
};
const passing = {
    code: 'SERVICE_UNAVAILABLE',
    what: () => 'Microsoft Entra did not issue a token',
    remedy: () => 'Run the job again; see https://status.cloud.microsoft.',
    again: true,
};
const issuerUnreachable = {
    code: 'ISSUER_UNREACHABLE',
    what: ({ idToken }) => `Microsoft Entra could not reach the issuer ${(0,clean/* clean */.uH)(idToken.issuer, 1000)} to check the ID token`,
    remedy: ({ idToken }) => `Entra reads ${(0,clean/* clean */.uH)(idToken.issuer, 1000)}/.well-known/openid-configuration over the internet: a GitHub Enterprise Server has to be reachable from there. On github.com, run the job again.`,
    again: true,
};
const unknown = {
    code: 'SIGN_IN_REFUSED',
    what: ({ application }) => `Microsoft Entra refused to sign in the application ${application.clientId} in the tenant ${application.tenantId}`,
    remedy: () => 'Look the code up at https://login.microsoftonline.com/error, and check tenant-id, client-id and cloud.',
};
const REFUSALS = {
    70021: noMatch,
    700211: noMatch,
    700212: noMatch,
    700213: noMatch,
    7002138: {
        code: 'FEDERATED_CREDENTIAL_LETTER_CASE',
        what: ({ application }) => `A federated credential of the application ${application.clientId} fits this job but for upper and lower case`,
        remedy: (presented) => `${presentedClaims(presented)}\nCorrect the credential (az ad app federated-credential list --id ${presented.application.clientId} shows what is registered), or register another:\n${createCommand(presented)}`,
    },
    7002131: {
        code: 'FEDERATED_CREDENTIAL_EXPRESSION',
        what: ({ application }) => `The flexible expression of a federated credential of the application ${application.clientId} does not match this job`,
        remedy: (presented) => `${presentedClaims(presented)}\nCorrect the credential's claimsMatchingExpression, or register exactly these:\n${createCommand(presented)}`,
    },
    70025: {
        code: 'FEDERATED_CREDENTIAL_MISSING',
        what: ({ application }) => `The application ${application.clientId} has no federated credential`,
        remedy: (presented) => `Check that client-id is the right application. If so, register this job:\n${createCommand(presented)}`,
        again: true,
        within: SPREADING,
    },
    700016: {
        code: 'APPLICATION_NOT_FOUND',
        what: ({ application }) => `The tenant ${application.tenantId} has no application ${application.clientId}`,
        remedy: ({ application }) => `client-id has to be the application (client) ID, not an object ID, and tenant-id the directory that owns the connectors; are the two swapped? The app must have a service principal there:\naz ad sp create --id ${application.clientId}`,
    },
    90002: {
        code: 'TENANT_NOT_FOUND',
        what: ({ application }) => `There is no tenant ${application.tenantId} in the cloud ${application.cloud.name}`,
        remedy: () => 'Check tenant-id (az account show --query tenantId --output tsv), and cloud: global or china.',
    },
    7000112: {
        code: 'APPLICATION_DISABLED',
        what: ({ application }) => `The application ${application.clientId} is disabled in the tenant ${application.tenantId}`,
        remedy: ({ application }) => `Enable its service principal:\naz ad sp update --id ${application.clientId} --set accountEnabled=true`,
    },
    500011: {
        code: 'RESOURCE_NOT_FOUND',
        what: ({ application }) => `The tenant ${application.tenantId} does not know Microsoft Graph at ${application.cloud.graphOrigin}`,
        remedy: () => 'The cloud is not the tenant\u2019s. Set cloud: global or cloud: china.',
    },
    700024: {
        code: 'ID_TOKEN_OUT_OF_TIME',
        what: () => 'Microsoft Entra found the ID token outside its five minutes',
        remedy: () => 'Run the job again. On a self-hosted runner, check its clock.',
        again: true,
    },
    53003: {
        code: 'CONDITIONAL_ACCESS',
        what: ({ application }) => `A Conditional Access policy blocks the application ${application.clientId}`,
        remedy: () => 'Exclude it from the policy for workload identities, or run on a runner whose addresses the policy allows. The sign-in log of the service principal names the policy.',
    },
    50166: issuerUnreachable,
    501661: issuerUnreachable,
    90033: passing,
    90006: passing,
    90012: passing,
    90024: passing,
    90055: passing,
    90090: passing,
};
/** The failure that an answer without a token means. */
function explainEntra(response, application, idToken) {
    if ((0,http_refusal/* isRedirect */.N6)(response.status)) {
        return { failure: (0,http_refusal/* redirected */.cP)(application.cloud.loginOrigin, response.status), again: false };
    }
    const said = errorIn(response);
    const { status } = response;
    const unavailable = status >= 500 ||
        status === 408 ||
        status === 429 ||
        (said.code === undefined && (status === 200 || !said.readable));
    const refusal = REFUSALS[Number(said.code)] ?? (unavailable ? passing : unknown);
    const presented = { application, idToken };
    const details = [said.code === undefined ? `HTTP ${status}` : `AADSTS${said.code}`, said.trace, said.at].filter((part) => part !== '');
    const description = said.description === '' ? '' : `: ${said.description.replace(/\.$/, '')}`;
    return {
        failure: new failure/* Failure */.HR(refusal.code, `${refusal.what(presented)}${description} (${details.join(', ')}).`, refusal.remedy(presented)),
        again: refusal.again ?? false,
        ...(refusal.within === undefined ? {} : { within: refusal.within }),
    };
}
function presentedClaims({ idToken }) {
    return `GitHub presented
  issuer:   ${(0,clean/* clean */.uH)(idToken.issuer, 1000)}
  subject:  ${(0,clean/* clean */.uH)(idToken.subject, 1000)}
  audience: ${(0,clean/* clean */.uH)(idToken.audience, 1000)}`;
}
function createCommand({ application, idToken }) {
    const parameters = JSON.stringify({
        name: 'upload-api-connector-certificate',
        issuer: (0,clean/* clean */.uH)(idToken.issuer, 1000),
        subject: (0,clean/* clean */.uH)(idToken.subject, 1000),
        audiences: [(0,clean/* clean */.uH)(idToken.audience, 1000)],
    });
    return `az ad app federated-credential create --id ${application.clientId} --parameters '${parameters.replaceAll("'", "'\\''")}'`;
}
/** Repositories created, renamed or transferred since 15 July 2026 present ids beside the names. */
function subjectForm(subject) {
    const ids = /^repo:([^/@:]+)@\d+\/([^/@:]+)@\d+(:.*)$/.exec(subject);
    if (ids) {
        return `This repository presents ids beside its names: a credential for "repo:${(0,clean/* clean */.uH)(ids[1])}/${(0,clean/* clean */.uH)(ids[2])}${(0,clean/* clean */.uH)(ids[3])}", without them, does not fit.\n`;
    }
    return subject.startsWith('repo:')
        ? 'This repository presents names without ids: a credential for "repo:OWNER@OWNER_ID/REPO@REPO_ID:\u2026" does not fit.\n'
        : '';
}
function errorIn(response) {
    let body = {};
    try {
        const json = JSON.parse(response.body);
        if (typeof json === 'object' && json !== null)
            body = json;
    }
    catch {
        // HTML, or nothing: the status has to do.
    }
    const text = typeof body['error_description'] === 'string' ? body['error_description'] : '';
    const codes = body['error_codes'];
    const first = Array.isArray(codes) ? codes[0] : undefined;
    const number = typeof first === 'number' || typeof first === 'string' ? String(first) : '';
    const code = /^\d{1,9}$/.test(number) ? number : /AADSTS(\d{1,9})/.exec(text)?.[1];
    const trace = (0,clean/* clean */.uH)(body['trace_id'], 64);
    return {
        code,
        // The description repeats its code at the start, and the ids at the end.
        description: (0,clean/* clean */.uH)(text.slice(0, 4000).split('Trace ID:')[0]).replace(/^AADSTS\d+:\s*/, ''),
        trace: trace === '' ? '' : `trace ${trace}`,
        at: (0,clean/* clean */.uH)(body['timestamp'], 40) || (0,clean/* clean */.uH)(response.headers['date'], 40) || new Date().toISOString(),
        readable: typeof body['error'] === 'string',
    };
}

// EXTERNAL MODULE: ./lib/http/client.js + 1 modules
var client = __webpack_require__(6141);
;// CONCATENATED MODULE: ./lib/sign-in/entra.js
/** Signing in at Microsoft Entra: GitHub's ID token is the client assertion, an access token for Microsoft Graph comes back. */







/** Between two looks for a federated credential that may just have been made; milliseconds. */
const SPREADING_PAUSE = 5_000;
/**
 * Exchanges one ID token for an access token, once. A new MSAL client each time: after a 429 or 5xx a client repeats the
 * error for a minute without asking the network.
 * @see https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow (third case: federated credential)
 */
async function exchange(http, application, idToken) {
    const { cloud, clientId, tenantId } = application;
    const wire = new Wire(http, cloud);
    try {
        const client = new ConfidentialClientApplication/* ConfidentialClientApplication */.W({
            auth: {
                clientId,
                authority: `${cloud.loginOrigin}/${tenantId}`,
                clientAssertion: idToken.jwt,
                // The tenant's own host is given; nothing is to be discovered.
                knownAuthorities: [new URL(cloud.loginOrigin).host],
            },
            system: { networkClient: wire },
        });
        const result = await client.acquireTokenByClientCredential({
            scopes: [`${cloud.graphOrigin}/.default`],
            // Without this, MSAL_FORCE_REGION in the environment would choose another host.
            azureRegion: 'DisableMsalForceRegion',
        });
        // It becomes a header: whatever else a server sends under this name is no token.
        if (typeof result?.accessToken === 'string' && /^[\x21-\x7e]{16,}$/.test(result.accessToken)) {
            (0,core/* setSecret */.Pq)(result.accessToken);
            return { done: { token: result.accessToken, roles: rolesOf(result.accessToken) } };
        }
    }
    catch (error) {
        // What came over the wire tells more than what the library makes of it.
        if (wire.response === undefined && wire.error === undefined)
            throw signInFailed(error);
    }
    http.signal.throwIfAborted();
    if (wire.error) {
        const { failure, again } = (0,http_refusal/* explainTransport */.B4)(wire.error, cloud.loginOrigin);
        if (!again)
            throw failure;
        return { again: failure };
    }
    if (wire.response === undefined)
        throw signInFailed(undefined);
    const { failure, again, ...limit } = explainEntra(wire.response, application, idToken);
    if (!again)
        throw failure;
    return {
        again: failure,
        retryAfter: (0,client/* retryAfter */.P9)(wire.response, new Date()) ?? (limit.within === undefined ? undefined : SPREADING_PAUSE),
        ...limit,
    };
}
/** MSAL's network, on ours: deadline, proxy, and the raw answer kept for the explanation. */
class Wire {
    response;
    error;
    #http;
    #cloud;
    constructor(http, cloud) {
        this.#http = http;
        this.#cloud = cloud;
    }
    async sendGetRequestAsync(url) {
        // With a known authority there is nothing to look up; a request here would go somewhere unforeseen.
        return await Promise.reject(new Error(`unexpected request to ${new URL(url).origin}`));
    }
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the library's interface has it
    async sendPostRequestAsync(url, options) {
        if (new URL(url).origin !== this.#cloud.loginOrigin)
            throw new Error(`unexpected request to ${new URL(url).origin}`);
        try {
            this.response = await this.#http.send({
                method: 'POST',
                url,
                headers: options?.headers ?? {},
                body: options?.body ?? '',
                timeout: client/* RETRY */.p6.timeout,
            });
        }
        catch (error) {
            if (error instanceof client/* TransportError */.wX)
                this.error = error;
            throw error;
        }
        const { status, headers, body } = this.response;
        return { status, headers: { ...headers }, body: parsed(body) };
    }
}
function signInFailed(cause) {
    return new failure/* Failure */.HR('SIGN_IN_REFUSED', `Signing in failed: ${(0,clean/* clean */.uH)((0,client/* reason */.l)(cause))}.`, 'Check tenant-id, client-id and cloud.', { cause });
}
function parsed(body) {
    try {
        return JSON.parse(body);
    }
    catch {
        return {};
    }
}
function rolesOf(accessToken) {
    try {
        const claims = JSON.parse(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8'));
        return Array.isArray(claims.roles) ? claims.roles.filter((role) => typeof role === 'string') : [];
    }
    catch {
        return [];
    }
}


/***/ }),

/***/ 4398:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  beforeUpload: () => (/* binding */ beforeUpload),
  withSession: () => (/* binding */ withSession)
});

// EXTERNAL MODULE: ./lib/node_modules/@actions/core/lib/core.js + 3 modules
var core = __webpack_require__(6120);
// EXTERNAL MODULE: ./lib/failure.js
var lib_failure = __webpack_require__(1957);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: ./lib/text/clean.js
var clean = __webpack_require__(4874);
// EXTERNAL MODULE: ./lib/http/concurrency.js
var concurrency = __webpack_require__(359);
// EXTERNAL MODULE: ./lib/http/refusal.js
var http_refusal = __webpack_require__(3988);
;// CONCATENATED MODULE: ./lib/graph/refusal.js
/**
 * What Microsoft Graph and the B2C backend say when they refuse, and what helps.
 * @see https://learn.microsoft.com/graph/errors
 * @see https://learn.microsoft.com/azure/active-directory-b2c/error-codes
 */



/** The B2C backend's own codes. */
const BACKEND = new Map([
    ...entries(['AADB2C90213', 'AADB2C95025'], {
        code: 'UPLOAD_PASSWORD_REFUSED',
        what: 'The service says that the password of the certificate is incorrect',
        remedy: 'The password opened the file here, and the file went out in TripleDES-SHA1. Characters beyond ASCII in the password are not foreseen by the service: export the certificate again with a password of ASCII letters and digits.',
    }),
    ...entries(['AADB2C90214'], {
        code: 'UPLOAD_EXPIRED_REFUSED',
        what: 'The service says that the certificate has expired',
        remedy: 'Upload a newer certificate; not-after in the outputs tells when this one ends.',
    }),
    ...entries(['AADB2C90215', 'AADB2C90216'], {
        code: 'UPLOAD_FILE_REFUSED',
        what: 'The service cannot use the key in the file',
        remedy: 'Its documents ask for RSA 2048 with the key usage digitalSignature. Make such a certificate.',
    }),
    ...entries(['AADB2C90220'], {
        code: 'UPLOAD_DATES_REFUSED',
        what: 'The service finds no certificate in the file that is valid now',
        remedy: 'Check not-before and not-after in the outputs.',
    }),
    ...entries(['AADB2C95044'], {
        code: 'CONNECTOR_OF_ANOTHER_TENANT',
        what: 'The API connector belongs to another tenant than the one signed in to',
        remedy: 'Set tenant-id to the directory that owns the connector.',
    }),
    ...entries(['AADB2C90229', 'AADB2C90244', 'AADB2C95043', 'AADB2C95053'], {
        code: 'THROTTLED',
        what: 'The service is asked for too much at once',
        remedy: 'Run the job again later, with concurrency in the workflow so that one upload runs at a time.',
    }),
    ...entries(['AADB2C90063'], {
        code: 'SERVICE_UNAVAILABLE',
        what: 'The service has a problem',
        remedy: 'Run the job again; see https://status.cloud.microsoft.',
    }),
]);
/** The failure that an answer other than the wanted one means. */
function explainGraph(response, asked) {
    if ((0,http_refusal/* isRedirect */.N6)(response.status))
        return (0,http_refusal/* redirected */.cP)('Microsoft Graph', response.status);
    const said = saidBy(response);
    const refusal = BACKEND.get(said.code) ?? byStatus(response.status, asked);
    const details = [`HTTP ${response.status}`, said.code, said.requestId && `request-id ${said.requestId}`, said.date];
    const message = said.message === '' ? '' : `: ${said.message.replace(/\.$/, '')}`;
    return new lib_failure/* Failure */.HR(refusal.code, `${refusal.what}${asked.connectorId === undefined ? '' : ` (API connector ${(0,clean/* clean */.uH)(asked.connectorId)})`}${message} (${details.filter((part) => part !== '').join(', ')}).`, refusal.remedy);
}
/** Whether the service, having answered so, may be asked again. */
function isPassing(response) {
    const { status } = response;
    const { code } = BACKEND.get(saidBy(response).code) ?? {};
    return (status === 200 ||
        status === 408 ||
        status === 429 ||
        status >= 500 ||
        code === 'THROTTLED' ||
        code === 'SERVICE_UNAVAILABLE');
}
/** Whether the service turned the request away before it acted: throttled, or busy with another write of this object. */
function cannotHaveActed(response) {
    const { status } = response;
    return (status === 429 || status === 503 || (status !== 200 && BACKEND.get(saidBy(response).code)?.code === 'THROTTLED'));
}
function byStatus(status, { roles, application }) {
    const { clientId, cloud } = application;
    const unavailable = 'Run the job again; see https://status.cloud.microsoft.';
    if (status === 200)
        return { code: 'SERVICE_UNAVAILABLE', what: 'The answer of Microsoft Graph cannot be read', remedy: unavailable };
    if (status === 401) {
        return {
            code: 'GRAPH_UNAUTHORIZED',
            what: 'Microsoft Graph does not take the access token',
            remedy: "Check that cloud is the tenant's, and run the job again.",
        };
    }
    if (status === 403) {
        return {
            code: 'GRAPH_FORBIDDEN',
            what: 'Microsoft Graph denies access',
            remedy: `The access token carries ${roles.length === 0 ? 'no application permission' : roles.map((role) => (0,clean/* clean */.uH)(role, 80)).join(', ')}; it needs APIConnectors.ReadWrite.All (the check step: APIConnectors.Read.All), with admin consent. As an administrator of the tenant:
SP=$(az ad sp show --id ${clientId} --query id --output tsv)
MS_GRAPH=$(az ad sp show --id 00000003-0000-0000-c000-000000000000 --query id --output tsv)
ROLE=$(az ad sp show --id $MS_GRAPH --query "appRoles[?value=='APIConnectors.ReadWrite.All'].id" --output tsv)
az rest --method post --url ${cloud.graphOrigin}/v1.0/servicePrincipals/$SP/appRoleAssignments --body "{\\"principalId\\":\\"$SP\\",\\"resourceId\\":\\"$MS_GRAPH\\",\\"appRoleId\\":\\"$ROLE\\"}"`,
        };
    }
    if (status === 404) {
        return {
            code: 'CONNECTOR_NOT_FOUND',
            what: 'The tenant has no such API connector',
            remedy: `List them with: az rest --method get --url ${cloud.graphOrigin}/v1.0/identity/apiConnectors --query "value[].[id,displayName]" --output tsv`,
        };
    }
    if (status === 429)
        return { code: 'THROTTLED', what: 'Microsoft Graph throttles the requests', remedy: 'Run the job again later.' };
    if (status === 408 || status >= 500)
        return { code: 'SERVICE_UNAVAILABLE', what: 'Microsoft Graph could not serve the request', remedy: unavailable };
    return {
        code: 'GRAPH_REFUSED',
        what: 'Microsoft Graph refused the request',
        remedy: "The message above is the service's. With the request-id, Microsoft support can tell more.",
    };
}
function entries(codes, refusal) {
    return codes.map((code) => [code, refusal]);
}
/** Code, message and ids out of an error's body, cleaned; each may be ''. */
function saidBy(response) {
    let error = {};
    try {
        const body = JSON.parse(response.body);
        if (typeof body?.error === 'object' && body.error !== null)
            error = body.error;
    }
    catch {
        // HTML, or nothing: the status and the headers have to do.
    }
    const inner = (error['innerError'] ?? error['innererror'] ?? {});
    return {
        code: (0,clean/* clean */.uH)(error['code'], 100),
        message: (0,clean/* clean */.uH)(error['message']),
        requestId: (0,clean/* clean */.uH)(inner['request-id'] ?? response.headers['request-id'], 64),
        date: (0,clean/* clean */.uH)(inner['date'] ?? response.headers['date'], 40) || new Date().toISOString(),
    };
}

// EXTERNAL MODULE: ./lib/http/client.js + 1 modules
var http_client = __webpack_require__(6141);
;// CONCATENATED MODULE: ./lib/graph/api-connectors.js
/**
 * API connectors in Microsoft Graph: get, list, upload a client certificate, replace the authentication.
 * @see https://learn.microsoft.com/graph/api/resources/identityapiconnector
 */







/** The API connectors of one tenant, as one access token may see and change them. */
class Graph {
    #http;
    #application;
    #access;
    #log;
    /** This API's limits are 200 requests a minute for an app in a tenant, 300 for the tenant. */
    #pace = new concurrency/* RateWindow */.h(200, 60_000);
    constructor(http, application, access, log) {
        this.#http = http;
        this.#application = application;
        this.#access = access;
        this.#log = log;
    }
    /**
     * @throws Failure CONNECTOR_NOT_FOUND with those that there are, and what {@link explainGraph} and {@link explainTransport} tell
     * @see https://learn.microsoft.com/graph/api/identityapiconnector-get
     */
    async getConnector(id) {
        try {
            // Under the id that was asked for: what goes to the connector must not go where an answer points.
            return { ...(await this.#read(segment(id), id, parseConnector)), id };
        }
        catch (error) {
            if (!(error instanceof lib_failure/* Failure */.HR) || error.code !== 'CONNECTOR_NOT_FOUND')
                throw error;
            throw await this.#withThoseThatExist(error);
        }
    }
    /**
     * Every API connector of the tenant, page by page.
     * @see https://learn.microsoft.com/graph/api/identityapiconnector-list
     */
    async listConnectors() {
        const connectors = [];
        const read = new Set();
        for (let path = ''; path !== undefined && !read.has(path);) {
            read.add(path);
            const page = await this.#read(path, undefined, parsePage);
            connectors.push(...page.connectors);
            path = page.nextLink === undefined ? undefined : this.#pathOf(page.nextLink);
        }
        return connectors;
    }
    /**
     * Uploads a certificate, beside those that the connector has, and makes sure of it: the answer, or where that is lost a
     * fresh look, shows the thumbprint. The request is sent again only where the server cannot have acted on it, or where a
     * look has shown that it did not.
     * @param before the connector as it was just before
     * @throws Failure as {@link getConnector}, and UPLOAD_NOT_CONFIRMED; its message says what is known of the upload
     * @see https://learn.microsoft.com/graph/api/identityapiconnector-uploadclientcertificate
     */
    async uploadClientCertificate(before, upload, thumbprint) {
        const countBefore = api_connectors_entries(before, thumbprint);
        const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
        return await this.#change(before.id, {
            send: async () => await this.#send('POST', `${segment(before.id)}/uploadClientCertificate`, body),
            confirmed: (response) => {
                const connector = response.status === 200 ? parseConnector(response.body) : undefined;
                return connector && api_connectors_entries(connector, thumbprint) > 0 ? connector : undefined;
            },
            hasLanded: (connector) => api_connectors_entries(connector, thumbprint) > countBefore,
            isTelling: countBefore === 0,
        });
    }
    /**
     * Overwrites whatever the connector authenticates with by this one certificate: the way from basic authentication, and
     * the only way to be rid of older certificates. The answer is empty, so a look has to show it.
     * @throws Failure as {@link uploadClientCertificate}
     * @see https://learn.microsoft.com/graph/api/identityapiconnector-update
     */
    async replaceAuthentication(before, upload, thumbprint) {
        const authenticationConfiguration = {
            '@odata.type': '#microsoft.graph.pkcs12Certificate',
            pkcs12Value: upload.pkcs12Value,
            password: upload.password,
        };
        const body = JSON.stringify({ authenticationConfiguration });
        // Sending it twice changes nothing, so the state alone counts, whichever request brought it about.
        const isOnly = (connector) => api_connectors_entries(connector, thumbprint) > 0 && connector.certificates.every((entry) => entry.thumbprint === thumbprint);
        return await this.#change(before.id, {
            send: async () => await this.#send('PATCH', segment(before.id), body),
            confirmed: () => undefined,
            hasLanded: isOnly,
            isTelling: true,
        });
    }
    async #change(id, change) {
        /** Why the change may have taken effect unseen; undefined while it cannot have. */
        let lost;
        const attempt = async () => {
            if (lost) {
                const found = await this.#look(id, lost);
                if (change.hasLanded(found))
                    return { done: found };
                if (!change.isTelling)
                    throw undecided(lost);
                this.#log('The certificate is not on the connector, so the request had no effect: sending it again.');
                lost = undefined;
            }
            const response = await change.send();
            if (response instanceof http_client/* TransportError */.wX) {
                const { failure, again } = (0,http_refusal/* explainTransport */.B4)(response, 'Microsoft Graph');
                if (response.sent)
                    lost = failure;
                this.#http.signal.throwIfAborted();
                if (!again && !response.sent)
                    throw failure;
                return { again: failure };
            }
            const connector = change.confirmed(response);
            // Under the id that was asked for, as in getConnector.
            if (connector)
                return { done: { ...connector, id } };
            if (response.status === 204) {
                lost = new lib_failure/* Failure */.HR('UPLOAD_NOT_CONFIRMED', 'Microsoft Graph took the change, but does not show it.', 'Run the job again.');
                const found = await this.#look(id, lost);
                return change.hasLanded(found) ? { done: found } : { again: lost };
            }
            const failure = this.#explain(response, id);
            if (!isPassing(response))
                throw failure;
            if (!cannotHaveActed(response))
                lost = failure;
            return { again: failure, retryAfter: (0,http_client/* retryAfter */.P9)(response, new Date()) };
        };
        try {
            return await (0,http_client/* retry */.L5)(this.#http, attempt, this.#log);
        }
        catch (error) {
            if (!(error instanceof lib_failure/* Failure */.HR) || (error.code === 'UPLOAD_NOT_CONFIRMED' && error !== lost))
                throw error;
            if (lost === undefined)
                throw (0,lib_failure/* withSentence */.wt)(error, 'Nothing was changed.');
            if (this.#http.signal.aborted)
                throw cutShort(error);
            // The last answer was lost too: look once more, so that the step does not end with a guess.
            const found = await this.#look(id, lost).catch((unseen) => {
                throw this.#http.signal.aborted && unseen instanceof lib_failure/* Failure */.HR ? cutShort(unseen) : unseen;
            });
            if (change.hasLanded(found))
                return found;
            if (!change.isTelling)
                throw undecided(lost);
            throw (0,lib_failure/* withSentence */.wt)(error, 'A look afterwards shows that the certificate is not on the connector.');
        }
    }
    /** The path behind `\u2026/apiConnectors` of a next page, which has to be on the same host: the token must not go elsewhere. */
    #pathOf(nextLink) {
        const root = `${this.#application.cloud.graphOrigin}/v1.0/identity/apiConnectors`;
        if (nextLink.toLowerCase().startsWith(`${root.toLowerCase()}?`))
            return nextLink.slice(root.length);
        throw new lib_failure/* Failure */.HR('GRAPH_REFUSED', `Microsoft Graph's list of API connectors goes on at ${(0,clean/* clean */.uH)(nextLink)}, which is not ${root}.`, 'Name the connectors in connector-id instead of all: true.');
    }
    /** A mistyped id is found sooner beside the right ones. One page, and where it may not be listed none. */
    async #withThoseThatExist(failure) {
        const response = await this.#send('GET', '');
        const page = response instanceof http_client/* TransportError */.wX || response.status !== 200 ? undefined : parsePage(response.body);
        if (page === undefined)
            return failure;
        const { connectors, nextLink } = page;
        if (connectors.length === 0)
            return (0,lib_failure/* withSentence */.wt)(failure, 'The tenant has no API connector at all.');
        const shown = connectors.slice(0, 20).map(({ id, displayName }) => `  ${(0,clean/* clean */.uH)(id, 64)}  ${(0,clean/* clean */.uH)(displayName, 80)}`);
        const more = connectors.length > shown.length || nextLink !== undefined ? ['  \u2026 and more'] : [];
        return new lib_failure/* Failure */.HR(failure.code, failure.message, ['The tenant has these:', ...shown, ...more].join('\n'), {
            cause: failure,
        });
    }
    /** The connector, after an upload whose answer was lost. */
    async #look(id, lost) {
        try {
            return await this.getConnector(id);
        }
        catch (error) {
            this.#http.signal.throwIfAborted();
            throw new lib_failure/* Failure */.HR('UPLOAD_NOT_CONFIRMED', `${lost.message} Whether the certificate is on the connector could not be found out: ${asMessage(error)}`, 'Run the job again: it looks first, and uploads only where the certificate is missing.', { cause: lost });
        }
    }
    async #read(path, id, parse) {
        return await (0,http_client/* retry */.L5)(this.#http, async () => {
            const response = await this.#send('GET', path);
            if (response instanceof http_client/* TransportError */.wX) {
                this.#http.signal.throwIfAborted();
                const { failure, again } = (0,http_refusal/* explainTransport */.B4)(response, 'Microsoft Graph');
                if (!again)
                    throw failure;
                return { again: failure };
            }
            const parsed = response.status === 200 ? parse(response.body) : undefined;
            if (parsed !== undefined)
                return { done: parsed };
            const failure = this.#explain(response, id);
            if (!isPassing(response))
                throw failure;
            return { again: failure, retryAfter: (0,http_client/* retryAfter */.P9)(response, new Date()) };
        }, this.#log);
    }
    async #send(method, path, body) {
        const pause = this.#pace.reserve(performance.now());
        if (pause > 0)
            await this.#http.wait(pause);
        try {
            return await this.#http.send({
                method,
                url: `${this.#application.cloud.graphOrigin}/v1.0/identity/apiConnectors${path}`,
                headers: {
                    authorization: `Bearer ${this.#access.token}`,
                    'client-request-id': (0,external_node_crypto_.randomUUID)(),
                    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
                },
                ...(body === undefined ? {} : { body }),
                timeout: http_client/* RETRY */.p6.timeout,
            });
        }
        catch (error) {
            if (error instanceof http_client/* TransportError */.wX)
                return error;
            throw error;
        }
    }
    #explain(response, connectorId) {
        return explainGraph(response, { connectorId, roles: this.#access.roles, application: this.#application });
    }
}
/** The step ends while a change is under way. */
function cutShort(failure) {
    return (0,lib_failure/* withSentence */.wt)(failure, 'An upload was under way: whether the certificate is on the connector is not known. Run the job again: it looks first.');
}
/** One segment of a path, whatever is in the id. */
function segment(id) {
    return `/${encodeURIComponent(id)}`;
}
/** The same certificate was there before the upload, and is there as often now: that tells nothing. */
function undecided(lost) {
    return new lib_failure/* Failure */.HR('UPLOAD_NOT_CONFIRMED', `${lost.message} The certificate was on the connector before and still is; whether this upload took effect cannot be told from that.`, 'Look at is-active in the outputs, and run the job again if the certificate should be the active one.', { cause: lost });
}
function asMessage(error) {
    return error instanceof Error ? error.message : String(error);
}
function api_connectors_entries(connector, thumbprint) {
    return connector.certificates.filter((certificate) => certificate.thumbprint === thumbprint).length;
}
/** The connector in an answer, or undefined where it is not one: cut, empty, HTML, of another shape. */
function parseConnector(body) {
    return connectorFrom(parseJson(body));
}
/** One page of the list, or undefined where the answer is none. */
function parsePage(body) {
    const json = parseJson(body);
    if (!isRecord(json) || !Array.isArray(json['value']))
        return undefined;
    const nextLink = json['@odata.nextLink'];
    return {
        connectors: json['value'].map(connectorFrom).filter((connector) => connector !== undefined),
        nextLink: typeof nextLink === 'string' ? nextLink : undefined,
    };
}
function parseJson(body) {
    try {
        return JSON.parse(body);
    }
    catch {
        return undefined;
    }
}
function connectorFrom(json) {
    if (!isRecord(json) || typeof json['id'] !== 'string')
        return undefined;
    const configuration = json['authenticationConfiguration'];
    return {
        id: json['id'],
        displayName: typeof json['displayName'] === 'string' ? json['displayName'] : '',
        targetUrl: typeof json['targetUrl'] === 'string' ? json['targetUrl'] : '',
        authentication: authenticationOf(configuration),
        certificates: certificatesIn(configuration),
    };
}
function authenticationOf(configuration) {
    if (configuration === null || configuration === undefined)
        return 'none';
    const type = isRecord(configuration) ? configuration['@odata.type'] : undefined;
    if (type === '#microsoft.graph.basicAuthentication')
        return 'basic';
    if (type === '#microsoft.graph.clientCertificateAuthentication')
        return 'certificate';
    return 'unknown';
}
function certificatesIn(configuration) {
    const list = isRecord(configuration) ? configuration['certificateList'] : undefined;
    if (!Array.isArray(list))
        return [];
    return list.filter(isRecord).map((entry) => ({
        thumbprint: (0,clean/* clean */.uH)(entry['thumbprint'], 64).toUpperCase(),
        notBefore: seconds(entry['notBefore']),
        notAfter: seconds(entry['notAfter']),
        isActive: entry['isActive'] === true,
    }));
}
/** Edm.Int64: a JSON number, or a string where the service writes IEEE754-compatible JSON. */
function seconds(value) {
    return typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
}
function isRecord(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

;// CONCATENATED MODULE: ./lib/http/deadline.js
/** How long the step may go on: until its time is over, or the job is cancelled. */


/** The runner cancels a job with SIGINT and, 7.5 seconds later, SIGTERM. */
const SIGNALS = ['SIGINT', 'SIGTERM'];
/** Starts the step's clock and listens for the end of the job. */
function startLifetime() {
    const deadline = performance.now() + http_client/* RETRY */.p6.stepTimeout;
    const controller = new AbortController();
    const timer = setTimeout(() => {
        controller.abort(new lib_failure/* Failure */.HR('STEP_TIMEOUT', `The step was not done within ${http_client/* RETRY */.p6.stepTimeout / 60_000} minutes.`, 'The services are slow or throttle this tenant. Run the job again later.'));
    }, http_client/* RETRY */.p6.stepTimeout);
    const cancel = (signal) => {
        controller.abort(new lib_failure/* Failure */.HR('CANCELLED', `The job was cancelled (${signal}).`, 'Run the job again.'));
    };
    for (const signal of SIGNALS)
        process.on(signal, cancel);
    return {
        signal: controller.signal,
        remaining: () => deadline - performance.now(),
        end: () => {
            clearTimeout(timer);
            for (const signal of SIGNALS)
                process.off(signal, cancel);
        },
    };
}

;// CONCATENATED MODULE: ./lib/sign-in/github-id-token.js
/** GitHub's ID token: the client assertion of the federated credential. */





/**
 * The service that this job may ask.
 * @throws Failure ID_TOKEN_UNAVAILABLE where the job has no `permissions: id-token: write`
 */
function idTokenService(environment, run) {
    const url = environment['ACTIONS_ID_TOKEN_REQUEST_URL'];
    const token = environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN'];
    if (url && token && URL.canParse(url)) {
        (0,core/* setSecret */.Pq)(token);
        return { url, token };
    }
    throw new lib_failure/* Failure */.HR('ID_TOKEN_UNAVAILABLE', `GitHub gives this job no ID token. ${whyNone(run)}`.trim(), howToGetOne(run));
}
function whyNone(run) {
    if (run.fromFork)
        return 'The event is a pull request from a fork, and such runs get none.';
    if (run.byDependabot)
        return 'Dependabot started this run, and such runs get none.';
    return '';
}
function howToGetOne(run) {
    if (run.fromFork || run.byDependabot) {
        return 'Run this workflow on push, schedule or workflow_dispatch instead: whoever can change the code of a pull request must not reach the certificate.';
    }
    return `Add to the job (in a reusable workflow, to the job that calls it as well: the caller can only take away):
permissions:
  id-token: write
  contents: read`;
}
/**
 * Asks once for a fresh ID token; it lives five minutes.
 * @throws Failure ID_TOKEN_REFUSED, or one of the network, where asking again will not help
 * @see https://docs.github.com/actions/reference/security/oidc
 */
async function requestIdToken(http, service, audience) {
    let response;
    try {
        response = await http.send({
            method: 'GET',
            url: `${service.url}&audience=${encodeURIComponent(audience)}`,
            headers: { authorization: `bearer ${service.token}` },
            timeout: http_client/* RETRY */.p6.idTokenTimeout,
        });
    }
    catch (error) {
        if (!(error instanceof http_client/* TransportError */.wX))
            throw error;
        http.signal.throwIfAborted();
        const { failure, again } = (0,http_refusal/* explainTransport */.B4)(error, "GitHub's ID token service");
        if (!again)
            throw failure;
        return { again: failure };
    }
    const { status } = response;
    if ((0,http_refusal/* isRedirect */.N6)(status))
        throw (0,http_refusal/* redirected */.cP)("GitHub's ID token service", status);
    const jwt = status === 200 ? tokenIn(response.body) : undefined;
    if (jwt !== undefined) {
        (0,core/* setSecret */.Pq)(jwt);
        const claims = claimsOf(jwt);
        if (claims)
            return { done: { jwt, ...claims } };
    }
    const at = (0,clean/* clean */.uH)(response.headers['date']) || new Date().toISOString();
    if (status === 200 || status === 408 || status === 429 || status >= 500) {
        const what = status === 200 ? 'answered without a token' : `answered HTTP ${status}`;
        return {
            again: new lib_failure/* Failure */.HR('SERVICE_UNAVAILABLE', `GitHub's ID token service ${what} (${at}).`, 'Run the job again; see https://www.githubstatus.com.'),
            retryAfter: (0,http_client/* retryAfter */.P9)(response, new Date()),
        };
    }
    throw new lib_failure/* Failure */.HR('ID_TOKEN_REFUSED', `GitHub's ID token service refused: HTTP ${status} (${at}).`, 'Check that the job has permissions: id-token: write, and run it again. The permission to ask ends with the job.');
}
function tokenIn(body) {
    try {
        const { value } = JSON.parse(body);
        // It is masked before anything else, so a short word that is no token must not get that far.
        return typeof value === 'string' && /^[\x21-\x7e]{16,}$/.test(value) ? value : undefined;
    }
    catch {
        return undefined;
    }
}
function claimsOf(jwt) {
    try {
        const claims = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
        return { issuer: github_id_token_text(claims['iss']), subject: github_id_token_text(claims['sub']), audience: github_id_token_text(claims['aud']) };
    }
    catch {
        return undefined;
    }
}
function github_id_token_text(claim) {
    return typeof claim === 'string' ? claim : '';
}

// EXTERNAL MODULE: ./lib/node_modules/@actions/github/lib/github.js + 1 modules
var github = __webpack_require__(5249);
;// CONCATENATED MODULE: ./lib/sign-in/workflow-run.js
/** What the workflow run tells about itself, where it helps a person. */

/** Reads the context that the runner gave. */
function runContext(environment) {
    const { pull_request: pullRequest, repository } = github/* context */._.payload;
    const head = pullRequest?.['head']?.repo;
    const name = environment['GITHUB_REPOSITORY'] ?? repository?.full_name;
    return {
        url: Number.isNaN(github/* context */._.runId) || name === undefined
            ? undefined
            : `${github/* context */._.serverUrl}/${name}/actions/runs/${github/* context */._.runId}`,
        // A fork that was deleted since is null.
        fromFork: pullRequest !== undefined && head?.full_name !== name,
        byDependabot: github/* context */._.actor === 'dependabot[bot]',
    };
}

;// CONCATENATED MODULE: ./lib/sign-in/sign-in.js
/** Signed in: a Graph client for as long as some work takes, its connections closed afterwards. */







const PRODUCT = 'upload-api-connector-certificate';
/**
 * Signs in, does the work and closes every connection, whatever happens.
 * @throws Failure ID_TOKEN_UNAVAILABLE before any request; what signing in and the work throw
 */
async function withSession(identity, ahead, work) {
    const run = runContext(process.env);
    const service = idTokenService(process.env, run);
    const lifetime = startLifetime();
    const clients = [];
    const open = (agent, options) => {
        const client = new http_client/* Http */.lw(agent, lifetime, options);
        clients.push(client);
        return client;
    };
    try {
        const http = open(userAgent(run), { ahead });
        const access = await (0,core/* group */.Os)('Sign-in', async () => {
            const signedIn = signIn(http, identity, service);
            // These are needed next: their handshakes cost nothing while the ID token is on its way.
            http.connect(identity.cloud.loginOrigin);
            http.connect(identity.cloud.graphOrigin);
            const token = await signedIn;
            (0,core/* info */.pq)(`Signed in to ${identity.tenantId} as the application ${identity.clientId}.`);
            return token;
        }).catch((error) => {
            throw beforeUpload(error);
        });
        return await work({
            graph: new Graph(http, identity, access, core/* info */.pq),
            // Without the run's page: it is for the sign-in log of one's own tenant.
            openHttp: (clientCertificate) => open(PRODUCT, { clientCertificate }),
        });
    }
    finally {
        lifetime.end();
        await Promise.all(clients.map(async (client) => client.close()));
    }
}
/** Whoever cancels a job wants to know whether something was under way. */
function beforeUpload(error) {
    const ended = error instanceof lib_failure/* Failure */.HR && (error.code === 'CANCELLED' || error.code === 'STEP_TIMEOUT');
    return ended ? (0,lib_failure/* withSentence */.wt)(error, 'No upload was under way.') : error;
}
/** A fresh ID token and a fresh exchange each time: the ID token lives for five minutes only. */
async function signIn(http, identity, service) {
    return await (0,http_client/* retry */.L5)(http, async (n) => {
        // The sign-in library takes longer to start than anything else here: meanwhile the ID token is on its way.
        const [idToken, { exchange }] = await Promise.all([
            requestIdToken(http, service, identity.audience),
            Promise.resolve(/* import() eager */).then(__webpack_require__.bind(__webpack_require__, 2022)),
        ]);
        if (!('done' in idToken))
            return idToken;
        const outcome = await exchange(http, identity, idToken.done);
        if (n === 1 && 'again' in outcome && outcome.within !== undefined) {
            (0,core/* notice */.lm)(`No federated credential fits yet. One that was just created takes a while to be known everywhere, so the step tries again for up to ${outcome.within / 1000} s.`, { title: 'Waiting for the federated credential' });
        }
        return outcome;
    }, core/* info */.pq);
}
/** With the run's page, so that a sign-in log leads back to the workflow run. */
function userAgent({ url }) {
    return url === undefined ? PRODUCT : `${PRODUCT} (+${url})`;
}


/***/ }),

/***/ 4874:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   TG: () => (/* binding */ cleanUrl),
/* harmony export */   uH: () => (/* binding */ clean),
/* harmony export */   wD: () => (/* binding */ markdown)
/* harmony export */ });
/** Text that a server or a file sent: hostile until it has been through here. */
const LONGEST = 300;
/**
 * One line without control characters, ANSI sequences, bidirectional overrides or the runner's old `##[` command prefix,
 * at most `longest` characters. Fit for the log; a summary needs {@link markdown} too.
 */
function clean(text, longest = LONGEST) {
    if (typeof text !== 'string')
        return '';
    const line = text
        // Far longer than shown, and cut first, so that 10 MB of blanks cost nothing.
        .slice(0, longest * 8)
        .replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, '')
        .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
        .replace(/ {2,}/g, ' ')
        .replaceAll('##[', '# #[')
        .trim();
    return line.length > longest ? `${line.slice(0, longest).toWellFormed()}\u2026` : line;
}
/** {@link clean} text that reads the same in GitHub's Markdown: no markup, HTML, mention, link or table cell begins in it. */
function markdown(text, longest = LONGEST) {
    return clean(text, longest)
        .replace(/[^\p{L}\p{N} .,;-]/gu, (character) => `&#${character.codePointAt(0)};`)
        .replace(/www\./gi, (start) => start.replace('.', '&#46;'));
}
/** A URL that may be seen, {@link clean}: user information, query and fragment are left out, since keys stand there (`?code=\u2026`). */
function cleanUrl(url, longest) {
    const [beforeQuery = ''] = url.split(/[?#]/);
    const mark = url.includes('?') ? '?\u2026' : '';
    if (!URL.canParse(beforeQuery))
        return clean(beforeQuery, longest) + mark;
    const seen = new URL(beforeQuery);
    seen.username = '';
    seen.password = '';
    return clean(seen.href, longest) + mark;
}


/***/ })

};
