/** A configuration profile "Weft" for Wireshark: columns that show both edges, and colours for trouble alone. */

/** First line of each file that we write, in the comment of its language: what has it is ours to replace and to remove. */
export const MARK = 'Made by weft wireshark install; weft wireshark remove takes it away.';

const COLUMNS: readonly (readonly [title: string, format: string])[] = [
  ['No.', '%m'],
  ['Time', '%t'],
  ['Edge', '%Cus:frame.interface_name:0:R'],
  ['Source', '%s'],
  ['Destination', '%d'],
  ['Outer source', '%Cus:ip.src || ipv6.src:1:R'],
  ['Protocol', '%p'],
  ['Length', '%L'],
  ['Info', '%i'],
  ['Comment', '%Cus:frame.comment:0:R'],
];

/** Preferences that differ from Wireshark's own. */
export function profilePreferences(): string {
  const columns = COLUMNS.map(([title, format]) => `\t"${title}", "${format}"`).join(',\n');
  return `# ${MARK}\ngui.column.format:\n${columns}\n`;
}

/** The first rule that matches colours the packet. Red, green, blue of background and text: 16 bits each. */
export function profileColours(): string {
  const rules: readonly (readonly [name: string, filter: string, background: string, text: string])[] = [
    ['Weft: dropped', 'frame.comment contains "dropped"', '[64250,49087,46774]', '[0,0,0]'],
    ['Weft: something is wrong', 'weft.finding || _ws.malformed', '[64250,49087,46774]', '[0,0,0]'],
    ['Weft: probe of the peer monitor', 'weft.probe', '[65535,65535,65535]', '[34952,35466,34181]'],
    ['ICMP errors', 'icmp.type in {3..5, 11} || icmpv6.type in {1..4}', '[65278,58082,44718]', '[0,0,0]'],
    ['TCP trouble', 'tcp.analysis.flags && !tcp.analysis.window_update', '[65278,58082,44718]', '[0,0,0]'],
  ];
  return `# ${MARK}\n${rules.map(([name, filter, back, text]) => `@${name}@${filter}@${back}${text}`).join('\n')}\n`;
}
