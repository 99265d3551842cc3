import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { PATIENCE_MS } from '../../patience.ts';

const WEFT = fileURLToPath(new URL('../../../../bin/weft', import.meta.url));

/** What it says until `end` is said, and then SIGTERM. */
async function said(controlSocket: string, end: RegExp): Promise<string> {
  const argv = [WEFT, 'ui', '--listen', '127.0.0.1:0', '--control-socket', controlSocket];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'ignore', 'pipe'], timeout: PATIENCE_MS });
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
    if (end.test(text)) child.kill('SIGTERM');
  });
  await once(child, 'close');
  return text;
}

test('without a daemon the page is there all the same, and the terminal says what it waits for', async (t) => {
  t.is(
    await said('/nonexistent/weft.sock', /waits for it\n/),
    `Open it in a browser; Ctrl-C ends it
weft: No control socket at /nonexistent/weft.sock
is weftd running? If it has another socket, give --control-socket
The page waits for it
`,
  );
});
