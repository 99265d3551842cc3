import test from 'ava';
import { overheadCheck, readPod, statusCheck, trafficChecks, wireCheck } from './cases.ts';

test('the address and MTU of a pod are read of what its making prints', (t) => {
  t.deepEqual(readPod('some warning\n10.5.64.2 1472\n'), { address: '10.5.64.2', mtu: 1472 });
  t.throws(() => readPod('weftd: no etcd'), { message: /weftd: no etcd/ });
});

test('traffic is right when digests are equal and every datagram came back', (t) => {
  const faults = (...args: Parameters<typeof trafficChecks>) =>
    trafficChecks(...args).map(({ fault }) => fault !== undefined);
  const echoed = [1, 64, 512, 1400, 4000];
  t.deepEqual(faults({ up: ['a', 'a'], down: ['a', 'a'], echoed }), [false, false, false]);
  t.deepEqual(faults({ up: ['a', 'b'], down: ['a', ''], echoed: [1, 64] }), [true, true, true]);
});

const VERIFIED = {
  schema: 'weft-verify/1',
  ok: true,
  source: 'udp.pcap',
  seconds: null,
  frames: 20,
  checked: 20,
  others: 0,
  probes: 0,
  fragments: 0,
  cut: 0,
  superPackets: 3,
  unfinished: { inner: 0, outer: 0 },
  notChecked: [],
  lost: 0,
  directions: [1, 2].map((number) => ({
    network: '',
    from: `192.0.2.${number}`,
    to: `192.0.2.${3 - number}`,
    frames: 10,
    innerPackets: 10,
    bytes: 1000,
    faults: 0,
    unfinished: 0,
    superPackets: 0,
  })),
  faults: [],
} as const;

test('the wire is right when weft verify finds frames of both directions and no fault', (t) => {
  t.is(wireCheck(VERIFIED).fault, undefined);
  t.truthy(wireCheck({ ...VERIFIED, directions: VERIFIED.directions.slice(1) }).fault);
  t.truthy(wireCheck({ ...VERIFIED, ok: false, checked: 0, directions: [] }).fault);
  const fault = {
    network: '',
    check: 'mtu',
    rule: 'no packet is longer',
    count: 2,
    where: 'frame 7',
    frame: 'IPv4 ...',
  } as const;
  t.is(wireCheck({ ...VERIFIED, ok: false, faults: [fault] }).fault, '2 x no packet is longer: IPv4 ...');
});

test('a weftd is right when it is ready and has no alarms', (t) => {
  const offloads = [
    { name: 'udp-gso', active: true, reason: '' },
    { name: 'udp-gro', active: false, reason: 'off' },
  ] as const;
  t.deepEqual(statusCheck({ state: 'ready', alarms: [], offloads }), {
    name: 'weft status',
    seen: 'ready, offloads udp-gso',
    fault: undefined,
  });
  t.is(statusCheck({ state: 'ready', alarms: [], offloads: [] }).seen, 'ready');
  t.is(
    statusCheck({ state: 'degraded', alarms: ['The device is down'], offloads }).fault,
    'degraded\nThe device is down',
  );
  t.truthy(statusCheck({ state: 'ready', alarms: ['Two nodes have one PublicIP'], offloads }).fault);
});

test('weft overhead is right when each ping is seen at both edges, both ways', (t) => {
  const direction = (packets: number, paired: number) => ({
    packets,
    paired,
    bytes: 0,
    lost: packets - paired,
    onTheWay: 0,
    strangers: 0,
    p50: 1,
    p90: 1,
    p99: 1,
    max: 1,
    mean: 1,
    octaves: [],
  });
  const report = (outbound: [number, number], inbound: [number, number], drops: Record<string, number>) =>
    overheadCheck(
      {
        network: '',
        overlayDevice: 'flannel0',
        underlayDevice: 'eth0',
        seconds: 5,
        outbound: direction(...outbound),
        inbound: direction(...inbound),
        notSeen: 0,
        stages: null,
        drops,
        daemonCpu: null,
        machineCpuSeconds: 1,
        ownCpuSeconds: 1,
        notes: [],
      },
      50,
    ).fault;
  t.is(report([50, 50], [50, 50], {}), undefined);
  t.is(report([51, 50], [50, 50], { multicast: 1 }), undefined, 'a router solicitation of the device');
  t.truthy(report([51, 50], [50, 50], {}));
  t.truthy(report([50, 50], [0, 0], {}));
});
