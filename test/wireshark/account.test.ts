import { spawnSync } from 'node:child_process';
import test from 'ava';
import { accountOf, asAccount, homeIn } from '../../lib/wireshark/account.ts';

test('the account is that of the process, and under sudo that of its caller', (t) => {
  const own = accountOf({ USER: 'ann', HOME: '/home/ann', XDG_CONFIG_HOME: '/home/ann/c' }, false);
  t.deepEqual(own, { name: 'ann', home: '/home/ann', configurationHome: '/home/ann/c', ids: undefined });
  const line = spawnSync('getent', ['passwd', '1'], { encoding: 'utf8' }).stdout;
  const sudo = {
    USER: 'root',
    HOME: '/root',
    XDG_CONFIG_HOME: '/x',
    SUDO_USER: 'daemon',
    SUDO_UID: '1',
    SUDO_GID: '1',
  };
  const caller = { name: 'daemon', home: homeIn(line), configurationHome: undefined, ids: { uid: 1, gid: 1 } };
  t.deepEqual(accountOf(sudo, true) as unknown, caller);
  // Who is not root has not been made root by sudo; and sudo of root is root.
  t.is(accountOf(sudo, false).home, '/root');
  t.is(accountOf({ ...sudo, SUDO_UID: '0' }, true).home, '/root');
  t.throws(() => accountOf({ ...sudo, SUDO_UID: '4000000001' }, true), { code: 'ACCOUNT_UNKNOWN' });
});

test('asAccount without another user changes nothing', (t) => {
  const account = { name: 'x', home: '/', configurationHome: undefined, ids: undefined };
  t.is(
    asAccount(account, () => 7),
    7,
  );
});
