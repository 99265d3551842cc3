import { createServer } from 'node:http';
import { connect } from 'node:net';
import test from 'ava';
import { until } from '../../lib/lab/until.ts';
import { encodeEvent, PageStream } from '../../lib/ui/page-stream.ts';
import { PATIENCE_MS } from '../patience.ts';

test('an event is two lines whatever is in it', (t) => {
  const event = encodeEvent('gone', { text: 'a\nevent: hello\r\n\u2028\n\n', hint: '<img onerror>' });
  t.regex(event, /^event: gone\ndata: [^\n\r]*\n\n$/);
  t.deepEqual(JSON.parse(event.slice('event: gone\ndata: '.length)), {
    text: 'a\nevent: hello\r\n\u2028\n\n',
    hint: '<img onerror>',
  });
});

test('a page that does not read is cut, and what waited for it let go', async (t) => {
  let stream: PageStream | undefined;
  let ended = false;
  const server = createServer((_, response) => {
    stream = new PageStream(response, [encodeEvent('tap', null)]);
    stream.onEnd(() => {
      ended = true;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  socket.on('error', () => undefined);
  t.teardown(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  socket.pause();
  t.true(await until(() => stream !== undefined, PATIENCE_MS));
  const event = encodeEvent('gone', { text: 'x'.repeat(100_000), hint: null });
  let sent = 0;
  const fill = () => {
    stream!.send(event);
    sent++;
    return ended;
  };
  t.true(await until(fill, PATIENCE_MS));
  // What the kernel's buffers hold, and 4 MB.
  t.true(sent * event.length < 40e6, `${sent} events`);
  t.notThrows(() => stream!.send(event));
});
