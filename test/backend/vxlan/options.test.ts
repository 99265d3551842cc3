import test from 'ava';
import { parseMac } from '../../../lib/addr/mac.ts';
import type { ExternalInterface } from '../../../lib/backend/backend.ts';
import { vxlanDeviceName, vxlanLeaseAttrs, vxlanOptions } from '../../../lib/backend/vxlan/options.ts';
import { WeftError } from '../../../lib/error.ts';
import type { Lease } from '../../../lib/lease/lease.ts';
import { decodeLeaseAttrs, encodeLeaseAttrs } from '../../../lib/lease/lease-attrs.ts';
import { type NetworkConfig, parseNetworkConfig } from '../../../lib/lease/network-config.ts';
import { flanneldKeys } from '../../lease/vectors.ts';

const EXTERNAL: ExternalInterface = {
  name: 'eth1',
  index: 2,
  mtu: 1500,
  ipv4: 0xc0000201,
  ipv6: 0x20010db8_00000000_00000000_00000001n,
  publicIp: 0xc0000201,
  publicIpv6: 0x20010db8_00000000_00000000_00000001n,
  reason: 'test',
};

function config(members: string, ipv6 = false): NetworkConfig {
  const dual = ipv6 ? '"EnableIPv6":true,"IPv6Network":"fd00::/48",' : '';
  return parseNetworkConfig(`{"Network":"10.244.0.0/16",${dual}"Backend":{"Type":"vxlan"${members}}}`);
}

function problem(read: () => unknown): { code: string; message: string } {
  try {
    read();
  } catch (error) {
    if (error instanceof WeftError) return error;
    throw error;
  }
  return { code: 'accepted', message: '' };
}

test("an empty Backend has flannel's defaults", (t) => {
  t.deepEqual(vxlanOptions(config(''), EXTERNAL), {
    vni: 1,
    port: 8472,
    underlayMtu: 1500,
    learning: false,
  });
});

test('every option is read, in any case', (t) => {
  const text = ',"vni":16777215,"PORT":4789,"mtu":9000,"learning":true,"GBP":false';
  t.deepEqual(vxlanOptions(config(text), EXTERNAL), {
    vni: 16777215,
    port: 4789,
    underlayMtu: 9000,
    learning: true,
  });
  t.is(vxlanOptions(config(',"Port":0'), EXTERNAL).port, 8472, '0 is "the default" here');
});

const refused: readonly [string, string][] = [
  ['"VNI":0', 'Backend.VNI is 0: allowed are 1 to 16777215'],
  ['"VNI":-1', 'Backend.VNI is -1: allowed are 1 to 16777215'],
  ['"VNI":1.5', 'Backend.VNI is 1.5: allowed are 1 to 16777215'],
  ['"VNI":16777216', 'Backend.VNI is 16777216: allowed are 1 to 16777215'],
  ['"VNI":"1"', 'Backend.VNI is "1": allowed are 1 to 16777215'],
  ['"Port":65536', 'Backend.Port is 65536: allowed are 0 to 65535'],
  ['"Port":-1', 'Backend.Port is -1: allowed are 0 to 65535'],
  ['"MTU":0', 'Backend.MTU is 0: allowed are 118 to 65535'],
  ['"MTU":67', 'Backend.MTU is 67: allowed are 118 to 65535'],
  ['"MTU":1000000000', 'Backend.MTU is 1000000000: allowed are 118 to 65535'],
  ['"MTU":"1500"', 'Backend.MTU is "1500": allowed are 118 to 65535'],
  ['"Learning":"yes"', 'Backend.Learning is "yes": allowed are true and false'],
  ['"GBP":true', 'Backend.GBP is true: Weft does not have the group policy extension, leave it out'],
];

for (const [members, message] of refused) {
  test(`refused with field, value and what is allowed: ${members}`, (t) => {
    const error = problem(() => vxlanOptions(config(`,${members}`), EXTERNAL));
    t.is(error.code, 'CONFIG_INVALID');
    t.is(error.message, message);
  });
}

test('with IPv6 the underlay must carry its smallest MTU, 1280, inside', (t) => {
  const error = problem(() => vxlanOptions(config(',"MTU":1349', true), EXTERNAL));
  t.is(error.message, 'Backend.MTU is 1349: allowed are 1350 to 65535');
  t.is(vxlanOptions(config(',"MTU":1350', true), EXTERNAL).underlayMtu, 1350);
  t.is(problem(() => vxlanOptions(config('', true), { ...EXTERNAL, mtu: 1300 })).code, 'MTU_TOO_SMALL');
});

test('a loopback underlay is taken for the largest packet there is', (t) => {
  t.is(vxlanOptions(config(''), { ...EXTERNAL, mtu: 65536 }).underlayMtu, 65535);
});

test('device names fit the 15 bytes of Linux for every VNI', (t) => {
  t.is(vxlanDeviceName(1, 4), 'flannel.1');
  t.is(vxlanDeviceName(1, 6), 'flannel-v6.1');
  t.is(vxlanDeviceName(9999999, 4), 'flannel.9999999');
  t.is(vxlanDeviceName(16777215, 4), 'fl.16777215');
  t.is(vxlanDeviceName(9999, 6), 'flannel-v6.9999');
  t.is(vxlanDeviceName(10000, 6), 'fl-v6.10000');
  t.is(vxlanDeviceName(16777215, 6), 'fl-v6.16777215');
});

test('our lease is byte for byte what flanneld writes', (t) => {
  const captured = flanneldKeys('vxlan').filter(({ key }) => key.startsWith('subnets/'));
  t.is(captured.length, 2);
  for (const { value } of captured) {
    const { publicIp, backendData } = decodeLeaseAttrs(value);
    const mac = parseMac((backendData as { VtepMAC: string }).VtepMAC)!;
    const attrs = vxlanLeaseAttrs(
      { ...EXTERNAL, publicIp },
      config(',"Port":4789,"VNI":1'),
      (device) => {
        t.is(device, 'flannel.1');
        return mac;
      },
      [],
    );
    t.is(encodeLeaseAttrs(attrs), value);
  }
});

test('in dual stack the lease has the data of both devices', (t) => {
  const attrs = vxlanLeaseAttrs(
    EXTERNAL,
    config(',"VNI":7', true),
    (device) => (device === 'flannel.7' ? 0x2a : 0x2b),
    [],
  );
  t.is(
    encodeLeaseAttrs(attrs),
    '{"PublicIP":"192.0.2.1","PublicIPv6":"2001:db8::1","BackendType":"vxlan",' +
      '"BackendData":{"VNI":7,"VtepMAC":"00:00:00:00:00:2a"},"BackendV6Data":{"VNI":7,"VtepMAC":"00:00:00:00:00:2b"}}',
  );
});

/** The VNI that our node writes with VNI 70000 in the configuration, beside a node at `publicIp` whose lease says `theirs`. */
function writtenBeside(theirs: number, publicIp = '192.0.2.2', type = 'vxlan'): unknown {
  const value = `{"PublicIP":"${publicIp}","BackendType":"${type}","BackendData":{"VNI":${theirs},"VtepMAC":"02:00:00:00:00:02"}}`;
  const lease: Lease = {
    subnets: { ipv4: { family: 4, address: 0x0af40200, length: 24 }, ipv6: undefined },
    attrs: decodeLeaseAttrs(value),
    expiresAtMs: undefined,
  };
  const { backendData } = vxlanLeaseAttrs(EXTERNAL, config(',"VNI":70000'), () => 0x2a, [lease]);
  return (backendData as { VNI: unknown }).VNI;
}

test("a VNI beyond 16 bits is written cut to them if a peer's is, else as it is (F2)", (t) => {
  t.is(writtenBeside(4464), 4464);
  t.is(writtenBeside(70000), 70000);
  t.is(writtenBeside(4464, '192.0.2.1'), 70000, 'our own old lease is no peer');
  t.is(writtenBeside(4464, '192.0.2.2', 'udp'), 70000);
});
