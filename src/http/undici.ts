/**
 * undici without what is not used here. Its index loads fetch, mocks, caches and a database besides, which is 764 kB
 * of the bundle and a good part of its start; so this does for one class what the index does for all.
 */
import connect from 'undici/lib/api/api-connect.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js';

// The way through a proxy begins with CONNECT.
Object.assign(Dispatcher.prototype, { connect });

export { EnvHttpProxyAgent };
