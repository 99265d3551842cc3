import test from 'ava';
import { withSystemFolders } from '../../lib/lab/search-path.ts';

test("the system's programs are found behind a user's own (N1)", (t) => {
  t.is(
    withSystemFolders('/home/u/.nvm/versions/node/v20.20.2/bin:/usr/local/bin:/usr/bin:/bin'),
    '/home/u/.nvm/versions/node/v20.20.2/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin',
  );
});

test("root's own PATH keeps its order", (t) => {
  t.is(withSystemFolders('/usr/sbin:/usr/bin'), '/usr/sbin:/usr/bin:/usr/local/sbin:/sbin');
});

test('without a PATH the folders of execvp come first', (t) => {
  t.is(withSystemFolders(undefined), '/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin');
});

test("a package's program never stands for a system's: npm puts its folder first, and nft is one of them", (t) => {
  t.is(
    withSystemFolders('/w/node_modules/.bin:/node_modules/.bin:/usr/sbin:/bin'),
    '/usr/sbin:/bin:/usr/local/sbin:/sbin',
  );
});
