import test from 'ava';
import fc from 'fast-check';
import { html, jsonForScript, table } from '../../lib/report/html.ts';

test('what is put into a template is text, for elements and attributes; HTML of another template stays', (t) => {
  const name = `</b><img src=x onerror="alert('1')">&`;
  const escaped = '&lt;/b&gt;&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;';
  t.is(html`<b title="${name}">${name}</b>`.source, `<b title="${escaped}">${escaped}</b>`);
  t.is(html`<p>${html`<i>${1}</i>`}${undefined}${['a', html`<br>`]}</p>`.source, '<p><i>1</i>a<br></p>');
});

test('what commands a terminal or hides text is shown as its escape, and 10 kB are shown as what they are', (t) => {
  t.is(html`${'a\u202eb\u2028\u0000'}`.source, 'a\\u202eb\\u2028\\u0000');
  t.regex(html`${'x'.repeat(10_240)}`.source, /^x{1000}\.\.\. \(10240 characters\)$/);
});

test('JSON within a script ends no script, begins no comment, and is the same value', (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom('</script>', '<!--', '\u2028', ']]>'), (value, hostile) => {
      const { source } = jsonForScript({ value, hostile, [hostile]: 1 });
      t.notRegex(source, /[<\u2028\u2029]/);
      t.deepEqual(JSON.parse(source), JSON.parse(JSON.stringify({ value, hostile, [hostile]: 1 })));
    }),
  );
});

test('a table has its titles, its rows and a name', (t) => {
  const { source } = table('Speeds', [{ title: 'Path' }, { title: 'Gb/s', number: true }], [['a<b', html`<b>1</b>`]]);
  t.regex(source, /aria-label="Speeds"/);
  t.regex(source, /<th scope="row">a&lt;b<\/th><td class="number"><b>1<\/b><\/td>/);
});
