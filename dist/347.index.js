export const id = 347;
export const ids = [347];
export const modules = {

/***/ 3347:
/***/ ((__unused_webpack___webpack_module__, __webpack_exports__, __webpack_require__) => {

// ESM COMPAT FLAG
__webpack_require__.r(__webpack_exports__);

// EXPORTS
__webpack_require__.d(__webpack_exports__, {
  exchange: () => (/* binding */ exchange)
});

// EXTERNAL MODULE: ./lib/node_modules/@actions/core/lib/core.js + 4 modules
var core = __webpack_require__(1382);
// EXTERNAL MODULE: ./lib/node_modules/@azure/msal-node/dist/client/ConfidentialClientApplication.mjs + 90 modules
var ConfidentialClientApplication = __webpack_require__(7559);
// EXTERNAL MODULE: ./lib/clean.js
var clean = __webpack_require__(7498);
// EXTERNAL MODULE: ./lib/failure.js
var failure = __webpack_require__(1957);
// EXTERNAL MODULE: ./lib/transport-refusal.js
var transport_refusal = __webpack_require__(9275);
;// CONCATENATED MODULE: ./lib/entra-refusal.js
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
    if ((0,transport_refusal/* isRedirect */.N6)(response.status)) {
        return { failure: (0,transport_refusal/* redirected */.cP)(application.cloud.loginOrigin, response.status), again: false };
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

// EXTERNAL MODULE: ./lib/http.js + 1 modules
var lib_http = __webpack_require__(3678);
;// CONCATENATED MODULE: ./lib/entra.js
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
        const { failure, again } = (0,transport_refusal/* explainTransport */.B4)(wire.error, cloud.loginOrigin);
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
        retryAfter: (0,lib_http/* retryAfter */.P9)(wire.response, new Date()) ?? (limit.within === undefined ? undefined : SPREADING_PAUSE),
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
                timeout: lib_http/* RETRY */.p6.timeout,
            });
        }
        catch (error) {
            if (error instanceof lib_http/* TransportError */.wX)
                this.error = error;
            throw error;
        }
        const { status, headers, body } = this.response;
        return { status, headers: { ...headers }, body: parsed(body) };
    }
}
function signInFailed(cause) {
    return new failure/* Failure */.HR('SIGN_IN_REFUSED', `Signing in failed: ${(0,clean/* clean */.uH)((0,lib_http/* reason */.l)(cause))}.`, 'Check tenant-id, client-id and cloud.', { cause });
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


/***/ })

};
