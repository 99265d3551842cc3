import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { AF_UNIX } from '../../lib/linux/sockaddr.ts';
import { MSG_DONTWAIT, SOCK_DGRAM } from '../../lib/linux/socket.ts';
import { SyscallError } from '../../lib/sys/errno.ts';
import { bind, close, recv, socket } from '../../lib/sys/ffi.ts';
import { notifyService } from '../../lib/sys/notify.ts';

/** A bound unix datagram socket, as systemd has it; returns a function that reads one message or throws. */
function listen(t: ExecutionContext, address: Buffer): () => string {
  const fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  t.teardown(() => {
    close(fd);
  });
  t.is(bind(fd, Buffer.concat([Buffer.from([AF_UNIX, 0]), address]), 2 + address.length), 0);
  return () => {
    const buffer = Buffer.alloc(4096);
    const length = recv(fd, buffer, buffer.length, MSG_DONTWAIT);
    if (length < 0) throw new Error('nothing was sent');
    return buffer.toString('utf8', 0, length);
  };
}

function scratch(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'weft-notify-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

test('READY, STATUS and STOPPING arrive at a path', (t) => {
  const path = join(scratch(t), 'notify');
  const receive = listen(t, Buffer.from(`${path}\0`));
  notifyService(path, { ready: true, status: '3 peers\netcd ok' });
  t.is(receive(), 'READY=1\nSTATUS=3 peers etcd ok');
  notifyService(path, { stopping: true });
  t.is(receive(), 'STOPPING=1');
});

test('an abstract name begins with @', (t) => {
  const name = `@weft-notify-${process.pid}`;
  const receive = listen(t, Buffer.from(`\0${name.slice(1)}`));
  notifyService(name, { ready: true });
  t.is(receive(), 'READY=1');
});

test('a manager that does not read does not block the sender', (t) => {
  const path = join(scratch(t), 'notify');
  listen(t, Buffer.from(`${path}\0`));
  const error = t.throws(
    () => {
      for (let sent = 0; sent < 100_000; sent++) notifyService(path, { ready: true });
    },
    { instanceOf: SyscallError },
  );
  t.is(error?.code, 'EAGAIN');
});

for (const name of ['/nonexistent/notify', 'vsock:2:1', 'relative', `/${'x'.repeat(107)}`, `@${'x'.repeat(108)}`])
  test(`socket name ${name.slice(0, 30)} throws with the name and errno`, (t) => {
    const error = t.throws(() => notifyService(name, { ready: true }), { instanceOf: SyscallError });
    t.is(error?.code, name.startsWith('/non') ? 'ENOENT' : 'EINVAL');
    t.true(error?.message.includes(name));
  });
