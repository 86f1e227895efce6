/** The body of a response as text, whatever coding it came in. */
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from 'node:zlib';

type Decoder = (bytes: Buffer, options: { readonly maxOutputLength: number }) => Buffer;

/** None of them is asked for, but some that stand between a client and a service send them all the same. */
const DECODERS: Readonly<Record<string, readonly Decoder[]>> = {
  gzip: [gunzipSync],
  'x-gzip': [gunzipSync],
  // "deflate" is zlib's format (RFC 9110, section 8.4.1.2), and some send it bare.
  deflate: [inflateSync, inflateRawSync],
  br: [brotliDecompressSync],
  zstd: [zstdDecompressSync],
};

/**
 * Undoes the codings of a `Content-Encoding` header. What does not come in the coding that it claims is left as it is: a
 * proxy that decodes may leave the header.
 * @param limit of the decoded body, in bytes
 * @throws Error if it would be larger
 */
export function decodeContent(body: Buffer, contentEncoding: string | undefined, limit: number): Buffer {
  if (body.length === 0) return body;
  const codings = (contentEncoding ?? '').toLowerCase().split(',', 4);
  return codings.reduceRight((bytes, coding) => decodeOne(bytes, DECODERS[coding.trim()] ?? [], limit), body);
}

function decodeOne(bytes: Buffer, decoders: readonly Decoder[], limit: number): Buffer {
  for (const decode of decoders) {
    try {
      return decode(bytes, { maxOutputLength: limit });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    }
  }
  return bytes;
}

/** Of a body. */
export function tooLarge(limit: number): Error {
  return new Error(`the response is larger than ${limit} bytes`);
}
