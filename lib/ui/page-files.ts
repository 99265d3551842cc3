/** The files of the page, as the build left them. */
import { readFileSync } from 'node:fs';
import { WeftError } from '../error.ts';

export interface PageFile {
  readonly contentType: string;
  readonly content: Buffer;
}

/** Relative to dist/lib/ui. */
const FILES: Readonly<Record<string, readonly [contentType: string, path: string]>> = {
  '/': ['text/html; charset=utf-8', '../../../lib/page/live/index.html'],
  '/live.js': ['text/javascript; charset=utf-8', '../../page/live/main.js'],
  '/live.css': ['text/css; charset=utf-8', '../../page/live/main.css'],
};

/** By the path they are asked for. Throws WeftError NOT_BUILT. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  try {
    return new Map(
      Object.entries(FILES).map(([name, [contentType, path]]) => [
        name,
        { contentType, content: readFileSync(new URL(path, import.meta.url)) },
      ]),
    );
  } catch (cause) {
    throw new WeftError('NOT_BUILT', 'Cannot read the files of the page', {
      cause,
      hint: 'Build the checkout with: npm run build',
    });
  }
}
