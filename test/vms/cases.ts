/** What is looked at between two guests, for each backend and each far end. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { StatusReply } from '../../lib/control/protocol.ts';
import { readPingOutput } from '../../lib/measure/ping-output.ts';
import type { OverheadReport } from '../../lib/observe/overhead/overhead.ts';
import type { VerifyReport } from '../../lib/observe/verify/report.ts';
import type { Guest } from './guest.ts';
import { SCRATCH } from './isolate.ts';
import * as typed from './node-commands.ts';
import type { TrafficResult } from './traffic.ts';
import { captureWhile } from './wire.ts';

const execute = promisify(execFile);
const WEFT = fileURLToPath(new URL('../../../bin/weft', import.meta.url));

export const CASE_NAMES = ['udp', 'vxlan', 'ipip', 'host-gw', 'kernel-vxlan', 'kernel-ipip'] as const;
export type CaseName = (typeof CASE_NAMES)[number];

/** What is on the second guest. */
export const CASE_TEXT: Readonly<Record<CaseName, string>> = {
  udp: 'weftd, udp',
  vxlan: 'weftd, vxlan',
  ipip: 'weftd, ipip',
  'host-gw': 'weftd, host-gw',
  'kernel-vxlan': "the kernel's VXLAN device",
  'kernel-ipip': "the kernel's ipip device",
};

export interface Check {
  readonly name: string;
  /** Undefined: right. */
  readonly fault: string | undefined;
  /** What was seen. */
  readonly seen: string;
}

/** Each check as it is known. */
export type Report = (check: Check) => void;

const PINGS = 10;
/** Our choice: seconds on the slowest guest, thousands of packets. */
const TCP_BYTES = 8_000_000;
/** Alone in a packet, as large as fits with every backend, and in fragments. */
const DATAGRAMS = [1, 64, 512, 1400, 4000];
/** Of the far end that is not weftd. */
const KERNEL_SUBNET = '10.5.250';
const KERNEL_MAC = '02:00:00:00:00:02';
const VXLAN_PORT = 8472;
const VNI = 1;
const UNDERLAY_MTU = 1500;
/** Which case shows `weft overhead`. */
const WITH_OVERHEAD: CaseName = 'udp';

interface Pod {
  readonly address: string;
  readonly mtu: number;
}

type Pair = readonly [Guest, Guest];

/** What answers in the second guest's pod, which has no address yet. */
export async function prepare(second: Guest): Promise<void> {
  await second.run('ip netns add pod && ip link add pod0 type veth peer name eth0 netns pod');
  await second.run(typed.serveTraffic());
}

/** The first guest has etcd. Throws what keeps the case from being looked at at all. */
export async function runCase(guests: Pair, name: CaseName, report: Report): Promise<void> {
  await Promise.all(guests.map((guest) => guest.run(typed.stopOverlay())));
  const pods = await start(guests, name);
  await guests[0].run(typed.reach(pods[1].address), 1_800_000);
  const file = join(SCRATCH, `${name}.pcap`);
  await captureWhile(file, () => exchange(guests, pods, report));
  report(statusCheck(JSON.parse(await guests[0].run(typed.status())) as StatusReply));
  report(name === 'host-gw' ? await checkPlain(file, pods) : await checkWire(file, guests[0]));
  if (name === WITH_OVERHEAD) report(await checkOverhead(guests[0], pods[1]));
}

async function start(guests: Pair, name: CaseName): Promise<readonly [Pod, Pod]> {
  const [first, second] = guests;
  const type = name.replace('kernel-', '');
  const options = type === 'vxlan' ? { VNI, Port: VXLAN_PORT } : {};
  await first.run(typed.configure({ Network: typed.NETWORK, Backend: { Type: type, ...options } }));
  if (name === type) return Promise.all([startNode(first), startNode(second)]);
  await first.run(`etcdctl put ${typed.PREFIX}/subnets/${KERNEL_SUBNET}.0-24 '${kernelLease(second, type)}'`);
  const pod = await startNode(first);
  const ends = { own: KERNEL_SUBNET, peer: pod.address.replace(/\.\d+$/, ''), peerAddress: first.address };
  if (type === 'ipip') await second.run(typed.kernelIpip(ends, second.address));
  else {
    const mac = (await first.run('cat /sys/class/net/flannel.1/address')).trim();
    await second.run(typed.kernelVxlan(ends, KERNEL_MAC, mac, VXLAN_PORT));
  }
  return [pod, readPod(await second.run(typed.podUp()))];
}

async function startNode(guest: Guest): Promise<Pod> {
  await guest.run(typed.startWeftd(), 600_000);
  return readPod(await guest.run(typed.podUp()));
}

/** What podUp prints. */
export function readPod(output: string): Pod {
  const [, address, mtu] = /^(\d+\.\d+\.\d+\.\d+) (\d+)$/m.exec(output) ?? [];
  if (address === undefined) throw new Error(`Cannot read the address of a pod: "${output.trim()}"`);
  return { address, mtu: Number(mtu) };
}

/** Its lease in etcd, as flanneld would write it. */
function kernelLease(guest: Guest, type: string): string {
  const attributes = { PublicIP: guest.address, PublicIPv6: null, BackendType: type };
  return JSON.stringify(type === 'vxlan' ? { ...attributes, BackendData: { VNI, VtepMAC: KERNEL_MAC } } : attributes);
}

async function exchange([first, second]: Pair, [here, there]: readonly [Pod, Pod], report: Report): Promise<void> {
  report(await checkPing('ping to guest 2', first, there));
  report(await checkPing('ping to guest 1', second, here));
  report(await checkPing('ping of full size, DF', second, here, here.mtu));
  const text = await first.run(typed.checkTraffic(there.address, TCP_BYTES, DATAGRAMS), 1_800_000);
  for (const check of trafficChecks(JSON.parse(text) as TrafficResult)) report(check);
}

async function checkPing(name: string, from: Guest, to: Pod, bytes?: number): Promise<Check> {
  const { output } = await from.try(typed.ping(to.address, PINGS, bytes));
  const { sent, received } = readPingOutput(output);
  const seen = `${received} of ${sent}${bytes === undefined ? '' : `, ${bytes} bytes`}`;
  return { name, seen, fault: received === PINGS ? undefined : output.trim() };
}

export function trafficChecks({ up, down, echoed }: TrafficResult): Check[] {
  const tcp = (name: string, [sent, received]: readonly [string, string]): Check => ({
    name,
    seen: `${TCP_BYTES / 1e6} MB, SHA-256 ${received.slice(0, 8)}`,
    fault: sent === received ? undefined : `sent ${sent}, received ${received}`,
  });
  return [
    tcp('TCP to guest 2', up),
    tcp('TCP to guest 1', down),
    {
      name: 'UDP there and back',
      seen: `${echoed.join(', ')} bytes`,
      fault: echoed.length === DATAGRAMS.length ? undefined : `of ${DATAGRAMS.join(', ')}`,
    },
  ];
}

/** Nothing has to be mended, and what the kernel offers weftd. */
export function statusCheck({ state, alarms, offloads }: Pick<StatusReply, 'state' | 'alarms' | 'offloads'>): Check {
  const on = offloads.filter(({ active }) => active).map((one) => one.name);
  const seen = [state, ...(offloads.length === 0 ? [] : [`offloads ${on.join(', ') || 'off'}`])].join(', ');
  const right = state === 'ready' && alarms.length === 0;
  return { name: 'weft status', seen, fault: right ? undefined : [state, ...alarms].join('\n') };
}

/** `weft verify` over the capture, with the leases of etcd. */
async function checkWire(file: string, etcd: Guest): Promise<Check> {
  const leases = `${file}.leases`;
  await writeFile(leases, await etcd.run(typed.leases()));
  const args = [WEFT, 'verify', '--json', '--read', file, '--leases', leases, '--mtu', String(UNDERLAY_MTU)];
  const { stdout } = await execute(process.execPath, args).catch((error) => error as { stdout: string });
  return wireCheck(JSON.parse(stdout) as VerifyReport);
}

export function wireCheck({ ok, checked, directions, faults, superPackets }: VerifyReport): Check {
  const seen = `${checked} frames right, ${superPackets} super-packets`;
  const name = 'on the wire';
  if (faults.length > 0)
    return { name, seen, fault: faults.map((one) => `${one.count} x ${one.rule}: ${one.frame}`).join('\n') };
  // Both ends have sent.
  return { name, seen, fault: ok && directions.length >= 2 ? undefined : `only ${directions.length} directions` };
}

/** host-gw: the pods' packets themselves. */
async function checkPlain(file: string, [here, there]: readonly [Pod, Pod]): Promise<Check> {
  const count = async (from: Pod, to: Pod): Promise<number> => {
    const filter = `src host ${from.address} and dst host ${to.address}`;
    const { stdout } = await execute('tcpdump', ['-n', '-r', file, filter], { maxBuffer: 1 << 28 });
    return stdout.split('\n').length - 1;
  };
  const [out, back] = [await count(here, there), await count(there, here)];
  const seen = `${out + back} packets without encapsulation`;
  return { name: 'on the wire', seen, fault: out > 0 && back > 0 ? undefined : `${out} and ${back}` };
}

const OVERHEAD_PINGS = 50;

async function checkOverhead(guest: Guest, to: Pod): Promise<Check> {
  const output = await guest.run(typed.overheadWhilePinging(to.address, OVERHEAD_PINGS));
  return overheadCheck(JSON.parse(output.slice(0, output.lastIndexOf('}') + 1)) as OverheadReport, OVERHEAD_PINGS);
}

/** Every ping has both its packets in both places; what went in and did not come out was dropped for a reason. */
export function overheadCheck({ outbound, inbound, drops }: OverheadReport, pings: number): Check {
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0);
  const missing = outbound.packets + inbound.packets - outbound.paired - inbound.paired;
  const whole = outbound.paired >= pings && inbound.paired >= pings && missing <= dropped;
  const seen = `paired ${outbound.paired} out, ${inbound.paired} in`;
  return { name: 'weft overhead', seen, fault: whole ? undefined : JSON.stringify({ outbound, inbound, drops }) };
}
