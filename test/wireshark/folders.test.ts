import test from 'ava';
import { readFolders, versionIn } from '../../lib/wireshark/folders.ts';

test('the folders are those that tshark names', (t) => {
  const listed = `Temp:                	/tmp
Personal configuration:	/home/a b/.config/wireshark
Personal Plugins:    	/home/a b/.local/lib/wireshark/plugins/4.4
Personal Lua Plugins:	/home/a b/.local/lib/wireshark/plugins
Personal Extcap path:	/home/a b/.local/lib/wireshark/extcap
Extcap path:         	/usr/lib/x86_64-linux-gnu/wireshark/extcap
`;
  t.deepEqual(readFolders(listed, '4.4.1', '/home/a b', undefined), {
    version: '4.4.1',
    configuration: '/home/a b/.config/wireshark',
    lua: '/home/a b/.local/lib/wireshark/plugins',
    extcap: '/home/a b/.local/lib/wireshark/extcap',
  });
});

test('what it does not name follows from its version: 4.2 moved the capture interfaces', (t) => {
  const extcap = (version: string) => readFolders('', version, '/h', undefined).extcap;
  t.is(extcap('3.6.2'), '/h/.config/wireshark/extcap');
  t.is(extcap('4.0.17'), '/h/.config/wireshark/extcap');
  t.is(extcap('4.2.0'), '/h/.local/lib/wireshark/extcap');
  t.is(extcap('5.0.0'), '/h/.local/lib/wireshark/extcap');
  t.is(readFolders('', '4.0.17', '/h', '/x').configuration, '/x/wireshark');
});

test('the version is that of any of its programs', (t) => {
  t.is(
    versionIn('TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3).\n\nCopyright 1998-2024'),
    '4.0.17',
  );
  t.is(versionIn('Dumpcap (Wireshark) 3.6.2 (Git'), '3.6.2');
  t.is(versionIn('Wireshark 4.4.0.\n'), '4.4.0');
  t.is(versionIn(''), undefined);
});
