/**
 * The libc functions Weft calls, bound once through koffi. Nothing outside lib/sys/ imports this file.
 *
 * Two address conventions:
 * - Hot calls (`read`, `writev`, `sendmmsg`, ...) take addresses as plain numbers (`uintptr_t`), because koffi passes a number
 *   faster than a BigInt or a TypedArray (docs/adr/0002). The caller owns the memory and keeps it alive.
 * - Set-up calls take a `Uint8Array`; koffi passes its first byte's address for the length of the call.
 *
 * Every function returns the C result; -1 means an error, and only then is `errno()` meaningful (koffi keeps the old value
 * after a success).
 */
import koffi from 'koffi';

// The process's own symbols: finds libc whether it is glibc or musl.
const libc = koffi.load(null);

type Address = number;

/** The address of the first byte of `bytes`. The caller keeps `bytes` alive; a SharedArrayBuffer never moves. */
export function addressOf(bytes: Uint8Array): Address {
  return Number(koffi.address(bytes));
}

export const errno: () => number = () => koffi.errno();

export const open = libc.func('int open(const char *path, int flags)') as (path: string, flags: number) => number;
export const close = libc.func('int close(int fd)') as (fd: number) => number;
export const dup = libc.func('int dup(int fd)') as (fd: number) => number;
/** `time`: struct timespec. */
export const clockGettime = libc.func('int clock_gettime(int clock, void *time)') as (
  clock: number,
  time: Uint8Array,
) => number;
export const ioctl = libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (
  fd: number,
  request: number,
  argument: Uint8Array,
) => number;
/** ioctl whose argument is a plain number, such as TUNSETOFFLOAD. */
export const ioctlValue = libc.func('ioctl', 'int', ['int', 'unsigned long', 'uintptr_t']) as (
  fd: number,
  request: number,
  argument: number,
) => number;

export const socket = libc.func('int socket(int domain, int type, int protocol)') as (
  domain: number,
  type: number,
  protocol: number,
) => number;
export const bind = libc.func('int bind(int fd, void *address, uint32_t length)') as (
  fd: number,
  address: Uint8Array,
  length: number,
) => number;
/** `address` and `length` null: nobody asks who it is. */
export const accept4 = libc.func('int accept4(int fd, void *address, void *length, int flags)') as (
  fd: number,
  address: null,
  length: null,
  flags: number,
) => number;
export const connect = libc.func('int connect(int fd, void *address, uint32_t length)') as (
  fd: number,
  address: Uint8Array,
  length: number,
) => number;
export const getsockname = libc.func('int getsockname(int fd, void *address, void *length)') as (
  fd: number,
  address: Uint8Array,
  length: Uint8Array,
) => number;
export const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: number,
) => number;
export const getsockopt = libc.func('int getsockopt(int fd, int level, int name, void *value, void *length)') as (
  fd: number,
  level: number,
  name: number,
  value: Uint8Array,
  length: Uint8Array,
) => number;
export const send = libc.func('intptr_t send(int fd, void *buffer, size_t length, int flags)') as (
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
) => number;
export const sendto = libc.func(
  'intptr_t sendto(int fd, void *buffer, size_t length, int flags, void *address, uint32_t addressLength)',
) as (
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
  address: Uint8Array,
  addressLength: number,
) => number;
export const recv = libc.func('intptr_t recv(int fd, void *buffer, size_t length, int flags)') as (
  fd: number,
  buffer: Uint8Array,
  length: number,
  flags: number,
) => number;

/** Moves the calling thread into the namespace of an open file (setns(2)): lib/sys/netns.ts. */
export const setns = libc.func('int setns(int fd, int type)') as (fd: number, type: number) => number;
/** Moves the calling thread into a fresh namespace (unshare(2)); tests use it. */
export const unshare = libc.func('int unshare(int flags)') as (flags: number) => number;

// Hot calls: addresses are numbers.
export const read = libc.func('intptr_t read(int fd, uintptr_t buffer, size_t length)') as (
  fd: number,
  buffer: Address,
  length: number,
) => number;
export const write = libc.func('intptr_t write(int fd, uintptr_t buffer, size_t length)') as (
  fd: number,
  buffer: Address,
  length: number,
) => number;
export const writev = libc.func('intptr_t writev(int fd, uintptr_t iovec, int count)') as (
  fd: number,
  iovec: Address,
  count: number,
) => number;
export const recvmsg = libc.func('intptr_t recvmsg(int fd, uintptr_t message, int flags)') as (
  fd: number,
  message: Address,
  flags: number,
) => number;
export const sendmmsg = libc.func('int sendmmsg(int fd, uintptr_t messages, uint32_t count, int flags)') as (
  fd: number,
  messages: Address,
  count: number,
  flags: number,
) => number;
export const recvmmsg = libc.func(
  'int recvmmsg(int fd, uintptr_t messages, uint32_t count, int flags, uintptr_t timeout)',
) as (fd: number, messages: Address, count: number, flags: number, timeout: Address) => number;
const pollFunction = libc.func('int poll(uintptr_t fds, unsigned long count, int timeoutMs)');
export const poll = pollFunction as (fds: Address, count: number, timeoutMs: number) => number;
export const eventfd = libc.func('int eventfd(uint32_t initial, int flags)') as (
  initial: number,
  flags: number,
) => number;
export const madvise = libc.func('int madvise(uintptr_t address, size_t length, int advice)') as (
  address: Address,
  length: number,
  advice: number,
) => number;

/**
 * Waits in a thread of libuv's pool, so that the calling thread's event loop goes on; `done` is called there. The memory of `fds`
 * stays as it is until then.
 */
export const pollAsync = (
  fds: Address,
  count: number,
  timeoutMs: number,
  done: (error: Error | null, ready: number) => void,
): void => pollFunction.async(fds, count, timeoutMs, done);

/** Returns an address, or -1 (MAP_FAILED). */
export const mmap = libc.func('mmap', 'intptr_t', ['uintptr_t', 'size_t', 'int', 'int', 'int', 'intptr_t']) as (
  address: Address,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => number;
export const munmap = libc.func('int munmap(uintptr_t address, size_t length)') as (
  address: Address,
  length: number,
) => number;
/** The memory at `address`, not a copy: reading it after it was unmapped ends the process. */
export function memoryAt(address: Address, length: number): ArrayBuffer {
  return koffi.view(BigInt(address), length);
}

// For the benchmark's child processes.
export const nanosleep = libc.func('int nanosleep(uintptr_t duration, uintptr_t remaining)') as (
  duration: Address,
  remaining: Address,
) => number;
export const prctl = libc.func('prctl', 'int', [
  'int',
  'unsigned long',
  'unsigned long',
  'unsigned long',
  'unsigned long',
]) as (option: number, a: number, b: number, c: number, d: number) => number;
export const schedGetaffinity = libc.func('sched_getaffinity', 'int', ['int', 'size_t', 'void *']) as (
  tid: number,
  size: number,
  mask: Uint8Array,
) => number;
export const schedSetaffinity = libc.func('sched_setaffinity', 'int', ['int', 'size_t', 'void *']) as (
  tid: number,
  size: number,
  mask: Uint8Array,
) => number;

/** Ends the process at once, whatever its threads do: _exit(2). */
export const exitImmediately = libc.func('void _exit(int status)') as (status: number) => void;
