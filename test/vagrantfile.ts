/** What the Vagrantfile writes onto its machines. */
import { readFileSync } from 'node:fs';

/** The text between `<<~'NAME'` (or `<<'NAME'`) and NAME, with the common indentation removed as Ruby's `<<~` does. */
export function heredoc(text: string, opening: string, name: string): string {
  const lines = text
    .slice(text.indexOf(opening) + opening.length)
    .split('\n')
    .slice(1);
  const body = lines.slice(
    0,
    lines.findIndex((line) => line.trim() === name),
  );
  const indent = Math.min(...body.filter((line) => line.trim() !== '').map((line) => line.search(/\S/)));
  return `${body.map((line) => line.slice(indent)).join('\n')}\n`;
}

/** The provisioning script. */
export function provisionScript(): string {
  return heredoc(readFileSync('Vagrantfile', 'utf8'), "<<~'PROVISION'", 'PROVISION');
}

/** The program weft-pod that it writes. */
export function podScript(): string {
  return heredoc(provisionScript(), "weft-pod <<'EOF'", 'EOF');
}
