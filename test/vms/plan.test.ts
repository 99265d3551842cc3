import test from 'ava';
import { plansOf } from './plan.ts';

const CASES = ['udp', 'vxlan', 'ipip', 'host-gw', 'kernel-vxlan', 'kernel-ipip'] as const;

test('without KVM User-mode Linux shows all but systemd, which QEMU shows', (t) => {
  t.deepEqual(plansOf([], false), [
    { kinds: ['uml72', 'uml72'], subjects: [...CASES] },
    { kinds: ['uml72', 'qemu612'], subjects: ['systemd'] },
  ]);
  t.deepEqual(plansOf(['systemd'], false), [{ kinds: ['uml72', 'qemu612'], subjects: ['systemd'] }]);
  t.deepEqual(plansOf(['udp', 'ipip'], false), [{ kinds: ['uml72', 'uml72'], subjects: ['udp', 'ipip'] }]);
});

test('with KVM one kind shows everything', (t) => {
  t.deepEqual(plansOf([], true), [{ kinds: ['qemu612', 'qemu612'], subjects: [...CASES, 'systemd'] }]);
});

test('kinds that are named are the only ones', (t) => {
  t.deepEqual(plansOf(['--guest', 'uml61'], true), [{ kinds: ['uml61', 'uml61'], subjects: [...CASES] }]);
  t.deepEqual(plansOf(['--guest=qemu61', 'systemd'], false), [{ kinds: ['qemu61', 'qemu61'], subjects: ['systemd'] }]);
  t.deepEqual(plansOf(['--guest=uml72,qemu61', 'udp', 'systemd'], false), [
    { kinds: ['uml72', 'qemu61'], subjects: ['udp', 'systemd'] },
  ]);
});

test('what cannot be is said', (t) => {
  t.throws(() => plansOf(['--guest', 'vmware'], false), { message: /no "vmware"\nusage: / });
  t.throws(() => plansOf(['--guest', 'uml72,uml61,uml72'], false), { message: /two guests, not 3/ });
  t.throws(() => plansOf(['wireguard'], false), { message: /no "wireguard"/ });
  t.throws(() => plansOf(['--guest', 'uml72', 'udp', 'systemd'], false), { message: /systemd needs a second guest/ });
  t.throws(() => plansOf(['--speed'], false), { message: /--speed.*\nusage: /s });
});
