/** What this action calls itself. */

const NAME = 'upload-api-connector-certificate';

/** Held to package.json by a test. */
export const VERSION = '0.1.0';

/** For user agents (RFC 9110, section 10.1.5). */
export const PRODUCT = `${NAME}/${VERSION}`;
