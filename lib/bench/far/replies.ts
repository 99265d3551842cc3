/**
 * What the far side may answer. It has the token, and yet it may be of another build, or lie: nothing of what it says reaches a
 * figure, a command or a screen that is not of the form and within the bounds that it has here.
 */
import { WeftError } from '../../error.ts';
import {
  address4,
  between,
  type Check,
  having,
  listOf,
  oneOf,
  orNull,
  prefix4,
  text,
  vtepMac,
  whole,
} from './checks.ts';
import type { RequestType } from './requests.ts';
import type { SideReply } from './side-protocol.ts';

/** Characters of a name, and of a sentence. */
const NAME = text(200);
const SENTENCE = text(4000);
/** Things and bytes: exact in a double. */
const COUNT = whole(0, Number.MAX_SAFE_INTEGER);
/** Seconds of all CPUs since boot: 4,000 CPUs for ten years. */
const CPU_SECONDS = between(0, 1e12);
/** Datagrams of a trial of a minute, at more than any machine sends. */
const DATAGRAMS = whole(0, 1e11);
/** Seconds that a trial took: the shortest that can be asked for takes 0.01. */
const TRIAL_SECONDS = between(0.001, 3600);

const cpuTimes = having({ user: CPU_SECONDS, kernel: CPU_SECONDS });

const environment = having({
  kernel: NAME,
  cpu: NAME,
  cpus: whole(0, 1e6),
  memoryBytes: COUNT,
  node: NAME,
  weft: NAME,
  commit: orNull(NAME),
  loadAverage: between(0, 1e6),
  defaultCongestionControl: NAME,
});

const network = having({
  name: NAME,
  backend: NAME,
  subnet: prefix4,
  address: orNull(address4),
  mtu: whole(0, 1e6),
});

/** Requests without an entry have nothing to tell. */
const REPLIES: Readonly<Partial<Record<RequestType, Check>>> = {
  describe: having({ environment, isRoot: oneOf([true, false]), missing: listOf(NAME, 20) }),
  overlay: having({ networks: listOf(network, 100), why: orNull(SENTENCE) }),
  usage: having({ machine: cpuTimes, daemon: orNull(cpuTimes), residentBytes: orNull(COUNT) }),
  'udp-received': having({ received: DATAGRAMS }),
  'udp-send': having({ sent: DATAGRAMS, seconds: TRIAL_SECONDS }),
  'pair-start': having({ vtepMac }),
};

/** Throws WeftError FAR_PROTOCOL unless `value` can be the far side's answer to a request. */
export function checkFarReply(type: RequestType, value: unknown): void {
  if (REPLIES[type]?.(value) === false)
    throw new WeftError('FAR_PROTOCOL', `The far side's answer to "${type}" makes no sense`, {
      hint: 'Use the same weft on both machines',
    });
}

const isError = having({ code: text(40), message: SENTENCE, hint: orNull(SENTENCE) });
const isClosing = having({ closing: SENTENCE });
const isReply = having({ id: COUNT });

/** A line of the far side: why it ends, or a reply. Code: FAR_PROTOCOL. */
export function readFarMessage(message: unknown): SideReply | { readonly closing: string } {
  if (isClosing(message)) return message as { readonly closing: string };
  // A reply that has nothing to tell has no value either.
  const valid = isReply(message) && (!Object.hasOwn(message as object, 'error') || having({ error: isError })(message));
  if (!valid) throw new WeftError('FAR_PROTOCOL', 'A line of the far side is no reply');
  return message as SideReply;
}
