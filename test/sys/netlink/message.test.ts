import test from 'ava';
import fc from 'fast-check';
import { WeftError } from '../../../lib/error.ts';
import { NLMSG_DONE, NLMSG_ERROR } from '../../../lib/sys/netlink/abi.ts';
import { parseAddress } from '../../../lib/sys/netlink/address.ts';
import { parseLink } from '../../../lib/sys/netlink/link.ts';
import {
  emitMessage,
  parseAttributes,
  parseMessages,
  parseVerdict,
  readString,
  readU32,
  stringAttribute,
  u32Attribute,
} from '../../../lib/sys/netlink/message.ts';
import { parseRoute } from '../../../lib/sys/netlink/route.ts';
import { bytesOf, netlinkVectors } from './vectors.ts';

const { answers } = netlinkVectors();

function isMalformed(error: unknown): boolean {
  return error instanceof WeftError && error.code === 'EBADMSG';
}

test('an acknowledgement is a verdict without error', (t) => {
  const [message] = parseMessages(bytesOf(answers.route4));
  t.is(message?.type, NLMSG_ERROR);
  t.deepEqual(parseVerdict(message!), { errno: 0, text: undefined });
});

test('a refusal that repeats the request gives its errno', (t) => {
  const [message] = parseMessages(bytesOf(answers.routedup));
  t.deepEqual(parseVerdict(message!), { errno: 17, text: undefined });
});

test("a refusal with extended attributes gives the kernel's own words", (t) => {
  const [message] = parseMessages(bytesOf(answers.routebad));
  t.deepEqual(parseVerdict(message!), { errno: 101, text: 'Nexthop has invalid gateway' });
});

test('a dump of several datagrams ends with a verdict', (t) => {
  const messages = parseMessages(bytesOf(answers.show));
  t.is(messages.length, 19 + 1);
  const last = messages.at(-1)!;
  t.is(last.type, NLMSG_DONE);
  t.deepEqual(parseVerdict(last), { errno: 0, text: undefined });
  t.is(parseVerdict(messages[0]!), undefined);
});

test('a bare NLMSG_DONE, as old kernels send it, is a success', (t) => {
  const bytes = emitMessage({ type: NLMSG_DONE, flags: 2, sequence: 1 }, new Uint8Array(0), []);
  t.deepEqual(parseVerdict(parseMessages(bytes)[0]!), { errno: 0, text: undefined });
});

test('what is emitted is aligned and parses back', (t) => {
  const attributes = [
    stringAttribute(3, 'flannel0'),
    u32Attribute(4, 0xfedcba98),
    { type: 9, value: new Uint8Array(5) },
  ];
  const bytes = emitMessage({ type: 24, flags: 0x605, sequence: 0xffffffff }, new Uint8Array([1, 2, 3, 4]), attributes);
  t.is(bytes.length % 4, 0);
  const [message, ...others] = parseMessages(bytes);
  t.deepEqual(others, []);
  t.like(message, { type: 24, flags: 0x605, sequence: 0xffffffff, port: 0 });
  const parsed = parseAttributes(message!.payload, 4);
  t.is(readString(parsed, 3), 'flannel0');
  t.is(readU32(parsed, 4), 0xfedcba98);
  t.is(parsed.get(9)?.length, 5);
  t.is(readU32(parsed, 8), undefined);
});

test('the flags of an attribute type are not part of the type', (t) => {
  const bytes = emitMessage({ type: 1, flags: 0, sequence: 0 }, new Uint8Array(0), [u32Attribute(0x8000 | 18, 1)]);
  t.is(readU32(parseAttributes(parseMessages(bytes)[0]!.payload, 0), 18), 1);
});

const MALFORMED: Record<string, () => unknown> = {
  'a header cut short': () => parseMessages(new Uint8Array(15)),
  'a message length of 0': () => parseMessages(new Uint8Array(16)),
  'a message longer than the datagram': () => parseMessages(withU32(new Uint8Array(16), 0, 17)),
  'a message length of 2^32-1': () => parseMessages(withU32(new Uint8Array(16), 0, 0xffffffff)),
  'a body shorter than the type needs': () => parseAttributes(new Uint8Array(11), 12),
  'an attribute header cut short': () => parseAttributes(new Uint8Array(3), 0),
  'an attribute length of 0': () => parseAttributes(new Uint8Array(8), 0),
  'an attribute longer than the message': () => parseAttributes(Uint8Array.of(9, 0, 1, 0, 0, 0, 0, 0), 0),
  'a number of two bytes': () => readU32(new Map([[4, new Uint8Array(2)]]), 4),
  'a verdict without its error code': () => parseVerdict(verdict(new Uint8Array(3), 0)),
  'a verdict with a positive error code': () => parseVerdict(verdict(Uint8Array.of(1, 0, 0, 0), 0)),
  'a verdict that lacks the header of the request': () => parseVerdict(verdict(new Uint8Array(8), 0x200)),
  'a verdict that repeats more than there is': () => parseVerdict(verdict(withU32(new Uint8Array(20), 4, 64), 0x200)),
};

function withU32(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(offset, value, true);
  return bytes;
}

function verdict(payload: Uint8Array, flags: number) {
  return { type: NLMSG_ERROR, flags, sequence: 1, port: 0, payload };
}

for (const [name, parse] of Object.entries(MALFORMED)) {
  test(`refuses ${name}`, (t) => {
    const error = t.throws(parse, { instanceOf: WeftError });
    t.is(error?.code, 'EBADMSG');
  });
}

/** Reads everything in a datagram the way the socket and RouteNetlink do. */
function readEverything(datagram: Uint8Array): void {
  for (const message of parseMessages(datagram)) {
    if (parseVerdict(message) !== undefined) continue;
    if (message.type === 16) parseLink(message.payload);
    if (message.type === 20) parseAddress(message.payload);
    if (message.type === 24) parseRoute(message.payload);
  }
}

for (const name of Object.keys(answers)) {
  test(`every truncation of the answer "${name}" ("${answers[name]?.command}") is refused or ends between messages`, (t) => {
    const whole = bytesOf(answers[name]);
    t.notThrows(() => readEverything(whole));
    const ends = new Set([0]);
    let end = 0;
    for (const { payload } of parseMessages(whole)) {
      end = payload.byteOffset - whole.byteOffset + payload.length;
      // A message without the padding that follows it is whole as well.
      for (let at = end; at <= ((end + 3) & ~3); at++) ends.add(at);
    }
    for (let length = 0; length < whole.length; length++) {
      const cut = whole.slice(0, length);
      if (ends.has(length)) t.notThrows(() => readEverything(cut), `${length}`);
      else t.throws(() => readEverything(cut), { code: 'EBADMSG' }, `${length}`);
    }
  });
}

test('a truncated message whose length was mended is read without reading beyond it', (t) => {
  for (const name of ['get', 'routebad']) {
    const whole = bytesOf(answers[name]);
    for (let length = 16; length < whole.length; length++) {
      const cut = withU32(whole.slice(0, length), 0, length);
      try {
        readEverything(cut);
      } catch (error) {
        t.true(isMalformed(error), `${name} cut to ${length}: ${String(error)}`);
      }
    }
  }
  t.pass();
});

test('hostile bytes are read or refused, nothing else', (t) => {
  const samples = ['get', 'routebad', 'show', 'links', 'addrs'].map((name) => bytesOf(answers[name]));
  const change = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) });
  const hostile = fc.property(
    fc.constantFrom(...samples),
    fc.array(change, { minLength: 1, maxLength: 8 }),
    (sample, changes) => {
      const bytes = sample.slice(0, 600);
      for (const { at, value } of changes) bytes[at % bytes.length] = value;
      try {
        readEverything(bytes);
        return true;
      } catch (error) {
        return isMalformed(error);
      }
    },
  );
  t.notThrows(() => fc.assert(hostile, { numRuns: 3000 }));
  const noise = fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
    for (const parse of [parseMessages, parseLink, parseAddress, parseRoute]) {
      try {
        parse(bytes);
      } catch (error) {
        if (!isMalformed(error)) return false;
      }
    }
    return true;
  });
  t.notThrows(() => fc.assert(noise, { numRuns: 3000 }));
});
