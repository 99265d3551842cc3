import type { ExecutionContext } from 'ava';
import { AF_UNIX } from '../../lib/linux/sockaddr.ts';
import { MSG_DONTWAIT, SOCK_DGRAM } from '../../lib/linux/socket.ts';
import { bind, close, recv, socket } from '../../lib/sys/ffi.ts';

/** A service manager's socket at `path` (sd_notify(3)). The function returned takes what has arrived since it was last asked. */
export function listenForNotices(t: ExecutionContext, path: string): () => string[] {
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  t.teardown(() => {
    close(fd);
  });
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${path}\0`)]);
  t.is(bind(fd, address, address.length), 0);
  return () => {
    const messages: string[] = [];
    const buffer = Buffer.alloc(4096);
    for (let length = 0; length >= 0; ) {
      length = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
      if (length >= 0) messages.push(buffer.toString('utf8', 0, length));
    }
    return messages;
  };
}
