/**
 * What nothing uses fails the lint: files, exports, types, packages. An export is for another file; a test is one.
 * https://knip.dev/reference/configuration
 */
import { withoutDecorators } from './bin/biome-assembly.js';

/** @type {import('knip').KnipConfig} */
export default {
  // What bin/ and asc start, and children whose path is put together.
  entry: [
    'lib/cli/main.ts',
    'lib/daemon/main.ts',
    'lib/demo/*-child.ts',
    'lib/fastpath/assembly/index.ts',
    'lib/page/{live,report}/main.ts',
    'test/netns/interop/*-child.ts',
    'test/**/*-cost.ts',
  ],
  project: ['lib/**/*.ts', 'test/**/*.ts', 'bin/*.js'],
  compilers: { ts: withoutDecorators },
  // ip, tcpdump and the like, which tests and labs call.
  exclude: ['binaries'],
  treatConfigHintsAsErrors: true,
};
