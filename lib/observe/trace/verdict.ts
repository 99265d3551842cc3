/** From what was seen and what the tables say to one answer. Pure. */
import type { Answer, Point, Stage, Suspect } from './model.ts';

export interface Evidence {
  readonly points: readonly Point[];
  readonly suspects: readonly Suspect[];
  /** Whether the probe begins in a pod of this host, and whether there is an overlay device between pod and underlay. */
  readonly fromPod: boolean;
  readonly hasOverlay: boolean;
  /** The destination is a pod of this host: nothing passes overlay and underlay. */
  readonly isLocal: boolean;
  /** Why the probe was not sent: the kernel's words. */
  readonly sendError: { readonly code: string; readonly message: string } | undefined;
  readonly destination: string;
  readonly peer: string;
  /** Addresses of this host, to tell its own errors from others'. */
  readonly ownAddresses: ReadonlySet<string>;
  /** Counters that rose meanwhile, by name: the kernel's, and weftd's drop reasons in both directions. */
  readonly kernelDrops: ReadonlyMap<string, number>;
  readonly engineDrops: ReadonlyMap<string, number>;
  /** Probe of the largest size: tells a lack of room from everything else. */
  readonly isLarge: boolean;
  /** UDP port or protocol of the tunnel, in words; '' without one. */
  readonly tunnel: string;
  /** Points of the other host were asked for. */
  readonly hasFar: boolean;
  /** Bytes of the inner packet. */
  readonly size: number;
}

/** Where the packet was seen last, its answer counting as further. */
export function lastStage(
  evidence: Pick<Evidence, 'points' | 'fromPod' | 'hasOverlay' | 'isLocal'>,
): Stage | 'arrived' {
  const here = evidence.points.filter(({ host }) => host === 'here');
  const seen = (kind: Point['kind'], place: string, direction: Point['direction']): boolean =>
    here.some((point) => point.kind === kind && point.place === place && point.direction === direction);
  const { fromPod, hasOverlay } = evidence;
  const backAtPod = seen('answer', 'pod veth', 'out') || seen('answer', 'bridge', 'out');
  const backAtOverlay = seen('answer', 'overlay', 'in');
  const backAtUnderlay = seen('answer', 'underlay', 'in');
  if (evidence.isLocal) return here.some(({ kind }) => kind === 'answer') ? 'arrived' : 'forward';
  if (fromPod ? backAtPod : hasOverlay ? backAtOverlay : backAtUnderlay) return 'arrived';
  if (hasOverlay && backAtOverlay) return 'return-forward';
  if (backAtUnderlay) return hasOverlay ? 'return-engine' : 'return-forward';
  if (seen('probe', 'underlay', 'out')) return 'underlay';
  if (hasOverlay && seen('probe', 'overlay', 'out')) return 'engine';
  if (here.some(({ kind, place }) => kind === 'probe' && (place === 'pod veth' || place === 'bridge')))
    return 'forward';
  return 'source';
}

export function decide(evidence: Evidence): Answer {
  const stage = lastStage(evidence);
  if (stage === 'arrived') return arrived(evidence);
  const told = evidence.points.find(({ kind }) => kind === 'error');
  if (told !== undefined) return byError(evidence, told, stage);
  const stages: Stage[] = stage === 'underlay' ? ['underlay', 'far'] : [stage];
  const candidates = evidence.suspects.filter(
    (suspect) => stages.includes(suspect.stage) && (suspect.code !== 'mtu' || evidence.isLarge),
  );
  const certain = candidates.find((suspect) => suspect.certain);
  if (certain !== undefined) return fromSuspect(certain);
  if (stage === 'source' && evidence.sendError !== undefined) return notSent(evidence, evidence.sendError);
  const dropped = byEngine(evidence, stage) ?? byCounters(evidence, stage);
  if (dropped !== undefined) return dropped;
  if (stage === 'underlay') return silence(evidence, candidates[0]);
  if (candidates[0] !== undefined) return fromSuspect(candidates[0]);
  return unexplained(stage);
}

function failure(code: string, text: string, hint: string): Answer {
  return { arrived: false, code, text: `does not arrive: ${text}`, hint };
}

function fromSuspect({ code, text, hint }: Suspect): Answer {
  return failure(code, text, hint);
}

function arrived({ points, destination, size }: Evidence): Answer {
  const answer = points.findLast(({ kind }) => kind === 'answer');
  const note = answer?.icmp === null || answer?.icmp === undefined ? '' : ', which says that the port is closed';
  const closed = answer?.note?.includes('reset') === true ? ', which says that the port is closed' : note;
  return { arrived: true, code: 'arrived', text: `arrived: ${destination} answers ${size} bytes${closed}`, hint: null };
}

/** An ICMP error about the probe itself. */
function byError(evidence: Evidence, { by, icmp, note }: Point, stage: Stage): Answer {
  const who = by ?? 'somebody';
  const isOwn = evidence.ownAddresses.has(who);
  if (icmp?.type === 11)
    return failure('ttl', `${who} says ${note}: the packet goes round in a circle`, 'ip route get, on both hosts');
  if (icmp?.code === 4)
    return failure(
      'mtu',
      `${evidence.size} bytes are too many: ${who} lets ${icmp.mtu} through (${note}${isOwn || stage !== 'underlay' ? '' : `, from behind ${evidence.peer}`})`,
      `compare the MTU of pods, bridges and devices on both hosts: ip link; ${icmp.mtu} fits`,
    );
  const near = evidence.suspects.find(
    (suspect) =>
      suspect.certain && suspect.code !== 'mtu' && !suspect.stage.startsWith('return') && suspect.stage !== 'far',
  );
  // Without a daemon it went another way, however far it came.
  const isOutside = near?.code === 'daemon-stopped';
  if (near !== undefined && (isOwn || isOutside || stage === 'forward' || stage === 'engine')) return fromSuspect(near);
  if (icmp?.code === 3 || (icmp?.code ?? 0) >= 9)
    return failure('firewall-reject', `${who} rejects it: ${note}`, `on ${who}: nft -a list ruleset`);
  const far = evidence.suspects.find((suspect) => suspect.certain && suspect.stage === 'far');
  if (!isOwn && far !== undefined) return fromSuspect(far);
  if (isOwn) return failure('no-route', `this host has no way: ${who} says ${note}`, 'weft routes; ip route');
  return failure(
    'no-such-pod',
    `${who} says ${note}: the tunnel works, no pod there has ${evidence.destination}`,
    `on the host of ${who}: ip neigh show ${evidence.destination}; ip route get ${evidence.destination}`,
  );
}

function notSent(evidence: Evidence, { code, message }: { code: string; message: string }): Answer {
  if (code === 'EMSGSIZE')
    return failure('mtu', `${evidence.size} bytes are more than the sender's device takes: ${message}`, 'ip link');
  if (code === 'EPERM')
    return failure('firewall-output', `a firewall of the sender drops it: ${message}`, 'nft -a list ruleset');
  return failure('not-sent', `it cannot be sent: ${message}`, 'ip route');
}

/** What weftd's tap says of the packet itself. */
function byEngine({ points }: Evidence, stage: Stage): Answer | undefined {
  const kind = { engine: 'probe', 'return-engine': 'answer' }[stage as string];
  const point = points.find((each) => each.place === 'weftd' && each.kind === kind && each.dropped != null);
  const reason = point?.dropped;
  if (reason == null) return undefined;
  const what = kind === 'probe' ? 'the packet' : 'the answer';
  return failure(`dropped-${reason}`, `weftd drops ${what} as ${reason}`, 'weft stats; weft peers; weft status');
}

/** What rose while the packet was lost. Other traffic may have raised it too: that is said. */
function byCounters({ kernelDrops, engineDrops }: Evidence, stage: Stage): Answer | undefined {
  const names = [...kernelDrops.keys()];
  if (stage === 'forward' || stage === 'return-forward') {
    if (kernelDrops.has('TcpExtIPReversePathFilter'))
      return failure('rp-filter', 'the kernel dropped a packet by rp_filter meanwhile', 'nstat -az | grep ReversePath');
    if (kernelDrops.has('IpInAddrErrors'))
      return failure(
        'ip-forward',
        'the kernel dropped a packet for an address that is not its own',
        'sysctl net.ipv4.ip_forward',
      );
  }
  if (stage !== 'engine' && stage !== 'return-engine') return undefined;
  const [reason] = engineDrops.keys();
  if (reason !== undefined)
    return failure(
      `dropped-${reason}`,
      `weftd dropped ${engineDrops.get(reason)} as ${reason} meanwhile`,
      'weft stats',
    );
  return names.includes('IpFragFails')
    ? failure('mtu', 'the kernel could not fragment a packet meanwhile', 'ip link')
    : undefined;
}

/** It left this host by the underlay, and nothing came back. */
function silence(evidence: Evidence, possible: Suspect | undefined): Answer {
  const { points, peer, tunnel, isLarge, size } = evidence;
  const refusal = points.find(({ kind, icmp }) => kind === 'underlay-error' && icmp?.type === 3);
  if (refusal?.icmp?.code === 4)
    return failure('mtu', `the underlay is too narrow: ${refusal.by} lets ${refusal.icmp.mtu} through`, 'ip link');
  if (refusal?.by === peer && (refusal.icmp?.code === 3 || refusal.icmp?.code === 2))
    return failure(
      'far-daemon-stopped',
      `${peer} answers "${refusal.note}": nobody there takes ${tunnel}, so weftd does not run`,
      `on ${peer}: systemctl status weftd; weft status`,
    );
  if (refusal !== undefined)
    return failure('firewall-reject', `${refusal.by} rejects ${tunnel}: ${refusal.note}`, `nft -a list ruleset`);
  const far = farSilence(evidence);
  if (far !== undefined) return far;
  if (isLarge)
    return failure(
      'mtu',
      `small packets arrive, ${size} bytes do not: something on the way is too narrow and does not say so`,
      `ping -M do -s ${size - 28} ${evidence.destination}, with less and less`,
    );
  if (points.some(({ kind }) => kind === 'tunnel-answer'))
    return failure(
      'far-silent',
      `the tunnel to ${peer} works, its own device answers through it, but ${evidence.destination} does not: no such pod there, a firewall or a setting of ${peer}, or the pod itself`,
      `on ${peer}: weft trace ${evidence.destination}; or here: the same with --far ${peer}`,
    );
  if (!points.some(({ kind }) => kind === 'underlay-answer'))
    return failure(
      'peer-unreachable',
      `${peer} does not answer pings on the underlay either`,
      `ping ${peer}; ip neigh show ${peer}`,
    );
  if (possible !== undefined) return fromSuspect(possible);
  if (tunnel === '')
    return failure('far-silent', `${peer} answers pings on the underlay, the pod does not`, `weft trace, on ${peer}`);
  return failure(
    'port-blocked',
    `${peer} answers pings on the underlay, but no tunnel packet came back: ${tunnel} may be blocked on the way`,
    `on ${peer}: weft capture --peer ${[...evidence.ownAddresses].find((a) => a !== peer) ?? ''} -c 1; or here: weft trace --far ${peer}`,
  );
}

/** With the other host's points. */
function farSilence({ points, hasFar, peer, tunnel, destination }: Evidence): Answer | undefined {
  if (!hasFar) return undefined;
  const far = points.filter(({ host }) => host === 'far');
  const seen = (kind: Point['kind'], place: string): boolean =>
    far.some((point) => point.kind === kind && point.place === place);
  if (far.length === 0)
    return failure(
      'port-blocked',
      `it never reaches ${peer}: ${tunnel === '' ? 'the packet' : tunnel} is blocked between the two hosts`,
      'firewalls and security groups on the way',
    );
  if (seen('answer', 'underlay'))
    return failure('port-blocked', `the answer leaves ${peer} and is lost on the way back`, 'firewalls on the way');
  if (seen('answer', 'bridge') || seen('answer', 'pod veth') || seen('answer', 'overlay'))
    return failure('far-return', `the answer is lost on ${peer}`, `on ${peer}: weft trace back`);
  if (seen('probe', 'bridge') || seen('probe', 'pod veth'))
    return failure('pod-silent', `it reaches ${destination}, which does not answer`, 'look into the pod');
  if (seen('probe', 'overlay'))
    return failure(
      'far-forward',
      `it comes out of the tunnel on ${peer} and goes no further`,
      `on ${peer}: nft -a list ruleset`,
    );
  return failure(
    'far-engine',
    `it reaches ${peer}, and does not come out of the tunnel there`,
    `on ${peer}: weft stats; weft status`,
  );
}

function unexplained(stage: Stage): Answer {
  const where: Readonly<Record<Stage, string>> = {
    source: 'it was sent and not seen on this host',
    forward: 'the host took it from the pod and did not forward it',
    engine: 'it went to the overlay device and not out on the underlay',
    underlay: 'it left, and nothing came back',
    far: 'it left, and nothing came back',
    'return-engine': 'the answer came back in the tunnel and not out of the overlay device',
    'return-forward': 'the answer came out of the overlay device and did not reach the pod',
  };
  return failure(`lost-${stage}`, where[stage], 'weft stats; nft -a list ruleset; nstat');
}
