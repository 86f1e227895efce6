export const id = 567;
export const ids = [567];
export const modules = {

/***/ 3678:
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
// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/dispatcher.js
var dispatcher = __webpack_require__(883);
// EXTERNAL MODULE: ./node_modules/undici/lib/dispatcher/env-http-proxy-agent.js
var env_http_proxy_agent = __webpack_require__(3137);
;// CONCATENATED MODULE: ./lib/undici.js
/**
 * undici without what is not used here. Its index loads fetch, mocks, caches and a database besides, which is a third of the
 * bundle and a good part of its start; so this does for one class what the index does for all.
 */



// The way through a proxy begins with CONNECT.
Object.assign(dispatcher.prototype, { connect: api_connect });


// EXTERNAL MODULE: ./lib/failure.js
var failure = __webpack_require__(1957);
;// CONCATENATED MODULE: ./lib/http.js
/**
 * One undici dispatcher for all three services: proxy, deadlines, a cap on what is read, and the retry policy.
 * No redirect is ever followed: a token must not travel to a host that a server names.
 */


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
    /** @param tls a client certificate to present, and its key, both PEM */
    constructor(userAgent, lifetime, tls) {
        this.#userAgent = userAgent;
        this.#lifetime = lifetime;
        this.#dispatcher = new env_http_proxy_agent({
            connections: CONNECTIONS,
            // What the emulator, and so every test, speaks; and whether a request was sent is plain to see.
            allowH2: false,
            // Said explicitly, NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment has no say in it.
            connect: { ...tls, rejectUnauthorized: true },
            requestTls: { ...tls, rejectUnauthorized: true },
            proxyTls: { rejectUnauthorized: true },
        });
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

/***/ 9567:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  beforeUpload: () => (/* binding */ beforeUpload),
  withSession: () => (/* binding */ withSession)
});

// EXTERNAL MODULE: ./lib/node_modules/@actions/core/lib/core.js + 4 modules
var core = __webpack_require__(1382);
// EXTERNAL MODULE: ./lib/failure.js
var lib_failure = __webpack_require__(1957);
// EXTERNAL MODULE: external "node:crypto"
var external_node_crypto_ = __webpack_require__(7598);
// EXTERNAL MODULE: ./lib/clean.js
var clean = __webpack_require__(7498);
// EXTERNAL MODULE: ./lib/concurrency.js
var concurrency = __webpack_require__(8316);
// EXTERNAL MODULE: ./lib/transport-refusal.js
var transport_refusal = __webpack_require__(9275);
;// CONCATENATED MODULE: ./lib/graph-refusal.js
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
    if ((0,transport_refusal/* isRedirect */.N6)(response.status))
        return (0,transport_refusal/* redirected */.cP)('Microsoft Graph', response.status);
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

// EXTERNAL MODULE: ./lib/http.js + 1 modules
var lib_http = __webpack_require__(3678);
;// CONCATENATED MODULE: ./lib/graph.js
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
        const countBefore = graph_entries(before, thumbprint);
        const body = JSON.stringify({ pkcs12Value: upload.pkcs12Value, password: upload.password });
        return await this.#change(before.id, {
            send: async () => await this.#send('POST', `${segment(before.id)}/uploadClientCertificate`, body),
            confirmed: (response) => {
                const connector = response.status === 200 ? parseConnector(response.body) : undefined;
                return connector && graph_entries(connector, thumbprint) > 0 ? connector : undefined;
            },
            hasLanded: (connector) => graph_entries(connector, thumbprint) > countBefore,
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
        const isOnly = (connector) => graph_entries(connector, thumbprint) > 0 && connector.certificates.every((entry) => entry.thumbprint === thumbprint);
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
            if (response instanceof lib_http/* TransportError */.wX) {
                const { failure, again } = (0,transport_refusal/* explainTransport */.B4)(response, 'Microsoft Graph');
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
            return { again: failure, retryAfter: (0,lib_http/* retryAfter */.P9)(response, new Date()) };
        };
        try {
            return await (0,lib_http/* retry */.L5)(this.#http, attempt, this.#log);
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
        const page = response instanceof lib_http/* TransportError */.wX || response.status !== 200 ? undefined : parsePage(response.body);
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
        return await (0,lib_http/* retry */.L5)(this.#http, async () => {
            const response = await this.#send('GET', path);
            if (response instanceof lib_http/* TransportError */.wX) {
                this.#http.signal.throwIfAborted();
                const { failure, again } = (0,transport_refusal/* explainTransport */.B4)(response, 'Microsoft Graph');
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
            return { again: failure, retryAfter: (0,lib_http/* retryAfter */.P9)(response, new Date()) };
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
                timeout: lib_http/* RETRY */.p6.timeout,
            });
        }
        catch (error) {
            if (error instanceof lib_http/* TransportError */.wX)
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
function graph_entries(connector, thumbprint) {
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

;// CONCATENATED MODULE: ./lib/lifetime.js
/** How long the step may go on: until its time is over, or the job is cancelled. */


/** The runner cancels a job with SIGINT and, 7.5 seconds later, SIGTERM. */
const SIGNALS = ['SIGINT', 'SIGTERM'];
/** Starts the step's clock and listens for the end of the job. */
function startLifetime() {
    const deadline = performance.now() + lib_http/* RETRY */.p6.stepTimeout;
    const controller = new AbortController();
    const timer = setTimeout(() => {
        controller.abort(new lib_failure/* Failure */.HR('STEP_TIMEOUT', `The step was not done within ${lib_http/* RETRY */.p6.stepTimeout / 60_000} minutes.`, 'The services are slow or throttle this tenant. Run the job again later.'));
    }, lib_http/* RETRY */.p6.stepTimeout);
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

;// CONCATENATED MODULE: ./lib/oidc.js
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
            timeout: lib_http/* RETRY */.p6.idTokenTimeout,
        });
    }
    catch (error) {
        if (!(error instanceof lib_http/* TransportError */.wX))
            throw error;
        http.signal.throwIfAborted();
        const { failure, again } = (0,transport_refusal/* explainTransport */.B4)(error, "GitHub's ID token service");
        if (!again)
            throw failure;
        return { again: failure };
    }
    const { status } = response;
    if ((0,transport_refusal/* isRedirect */.N6)(status))
        throw (0,transport_refusal/* redirected */.cP)("GitHub's ID token service", status);
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
            retryAfter: (0,lib_http/* retryAfter */.P9)(response, new Date()),
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
        return { issuer: oidc_text(claims['iss']), subject: oidc_text(claims['sub']), audience: oidc_text(claims['aud']) };
    }
    catch {
        return undefined;
    }
}
function oidc_text(claim) {
    return typeof claim === 'string' ? claim : '';
}

// EXTERNAL MODULE: ./lib/node_modules/@actions/github/lib/github.js + 1 modules
var github = __webpack_require__(5249);
;// CONCATENATED MODULE: ./lib/run-context.js
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

;// CONCATENATED MODULE: ./lib/session.js
/** Signed in: a Graph client for as long as some work takes, its connections closed afterwards. */







const PRODUCT = 'upload-api-connector-certificate';
/**
 * Signs in, does the work and closes every connection, whatever happens.
 * @throws Failure ID_TOKEN_UNAVAILABLE before any request; what signing in and the work throw
 */
async function withSession(identity, work) {
    const run = runContext(process.env);
    const service = idTokenService(process.env, run);
    const lifetime = startLifetime();
    const http = new lib_http/* Http */.lw(userAgent(run), lifetime);
    const others = [];
    try {
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
            openHttp: (clientCertificate) => {
                // Without the run's page: it is for the sign-in log of one's own tenant.
                const other = new lib_http/* Http */.lw(PRODUCT, lifetime, clientCertificate);
                others.push(other);
                return other;
            },
        });
    }
    finally {
        lifetime.end();
        await Promise.all([http, ...others].map(async (one) => one.close()));
    }
}
/** Whoever cancels a job wants to know whether something was under way. */
function beforeUpload(error) {
    const ended = error instanceof lib_failure/* Failure */.HR && (error.code === 'CANCELLED' || error.code === 'STEP_TIMEOUT');
    return ended ? (0,lib_failure/* withSentence */.wt)(error, 'No upload was under way.') : error;
}
/** A fresh ID token and a fresh exchange each time: the ID token lives for five minutes only. */
async function signIn(http, identity, service) {
    return await (0,lib_http/* retry */.L5)(http, async (n) => {
        // The sign-in library takes longer to start than anything else here: meanwhile the ID token is on its way.
        const [idToken, { exchange }] = await Promise.all([
            requestIdToken(http, service, identity.audience),
            Promise.all(/* import() */[__webpack_require__.e(559), __webpack_require__.e(347)]).then(__webpack_require__.bind(__webpack_require__, 3347)),
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

/***/ 9275:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

/* harmony export */ __webpack_require__.d(__webpack_exports__, {
/* harmony export */   B4: () => (/* binding */ explainTransport),
/* harmony export */   N6: () => (/* binding */ isRedirect),
/* harmony export */   cP: () => (/* binding */ redirected)
/* harmony export */ });
/* harmony import */ var _clean_js__WEBPACK_IMPORTED_MODULE_2__ = __webpack_require__(7498);
/* harmony import */ var _failure_js__WEBPACK_IMPORTED_MODULE_0__ = __webpack_require__(1957);
/* harmony import */ var _http_js__WEBPACK_IMPORTED_MODULE_1__ = __webpack_require__(3678);
/** What it means that no answer came back, by the innermost cause: name resolution, proxy, TLS, time. */



/** Node's codes for a server certificate that is not trusted. */
const UNTRUSTED = /\b(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_HAS_EXPIRED|CERT_NOT_YET_VALID|ERR_TLS_CERT_ALTNAME_INVALID|CERT_UNTRUSTED|CERT_REVOKED|INVALID_PURPOSE)\b/;
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
    const why = (0,_clean_js__WEBPACK_IMPORTED_MODULE_2__/* .clean */ .uH)((0,_http_js__WEBPACK_IMPORTED_MODULE_1__/* .reason */ .l)(error));
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


/***/ })

};
