/** Text for a terminal of `width` columns: paragraphs are filled anew, indented lines are broken and go on under their text. */
export function fitText(text: string, width: number): string {
  const lines: string[] = [];
  let paragraph: string[] = [];
  const endParagraph = (): void => {
    if (paragraph.some((line) => line.length > width)) lines.push(...broken(paragraph.join(' '), width));
    else lines.push(...paragraph);
    paragraph = [];
  };
  for (const line of text.split('\n')) {
    if (/^\S/.test(line)) {
      paragraph.push(line);
      continue;
    }
    endParagraph();
    lines.push(...broken(line, width));
  }
  endParagraph();
  return lines.join('\n');
}

/** One line as several. They go on where its last column begins, which follows two spaces or more. */
function broken(line: string, width: number): string[] {
  if (columnsOf(line) <= width) return [line];
  const indent = /^\s*(?:\S+(?: \S+)*? {2,})?/.exec(line)?.[0] ?? '';
  const hanging = indent.replace(/[^\t]/g, ' ');
  const room = Math.max(20, width - columnsOf(indent));
  const lines: string[] = [];
  let rest = line.slice(indent.length);
  while (rest.length > room) {
    const head = rest.slice(0, room + 1);
    // After a space, or in a list of names after a comma: that of a number is none.
    const comma = [...head.matchAll(/,(?!\d)/g)].findLast(({ index }) => index < room)?.index ?? -1;
    const at = Math.max(head.lastIndexOf(' '), comma + 1);
    const cut = at > 0 ? at : room;
    lines.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
  lines.push(rest);
  return lines.map((text, index) => `${index === 0 ? indent : hanging}${text}`);
}

/** A tab goes to the next multiple of eight. */
function columnsOf(text: string): number {
  return Array.from(text).reduce((columns, character) => columns + (character === '\t' ? 8 - (columns % 8) : 1), 0);
}
