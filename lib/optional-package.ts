import { createRequire } from 'node:module';
import { messageOf, WeftError } from './error.ts';

/**
 * Loads an optional npm package, native and therefore loaded only when it is needed: CommonJS, without types. Throws
 * WeftError with `code` when it is not there.
 */
export function loadOptionalPackage(name: string, code: string): unknown {
  try {
    return createRequire(import.meta.url)(name);
  } catch (cause) {
    throw new WeftError(code, `Cannot load the npm package "${name}": ${messageOf(cause).split('\n')[0]}`, {
      cause,
      hint: 'It is optional and built on this machine: sudo env "PATH=$PATH" npm run setup in the checkout builds it, and says why if it cannot',
    });
  }
}
