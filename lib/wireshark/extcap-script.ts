/** The program that Wireshark finds among its capture interfaces: a script that answers what never changes and calls weft. */
import { type OwnProgram, shellQuoted } from './extcap-command.ts';
import { formSentences, interfaceSentences, linkTypeSentences } from './extcap-form.ts';
import { MARK } from './profile.ts';

/** `controlSocket`: where a daemon that may be asked for its networks has its socket. */
export function extcapScript({ node, weft }: OwnProgram, controlSocket: string): string {
  return `#!/bin/sh
# ${MARK}
node=${shellQuoted(node)}
weft=${shellQuoted(weft)}
socket=\${WEFT_CONTROL_SOCKET:-${shellQuoted(controlSocket)}}
question=
fifo=
before=
for word; do
  case $word in --extcap-interfaces | --extcap-dlts | --extcap-config | --capture) question=$word ;; esac
  [ "$before" = --fifo ] && fifo=$word
  before=$word
done
# Wireshark asks these each time it starts: node would take ten times as long to answer.
case $question in
--extcap-config) cat <<'EOT'
${formSentences()}EOT
  exit ;;
--extcap-dlts) cat <<'EOT'
${linkTypeSentences()}EOT
  exit ;;
--extcap-interfaces) [ -w "$socket" ] && [ -x "$node" ] && [ -f "$weft" ] || { cat <<'EOT'
${interfaceSentences([])}EOT
  exit; } ;;
esac
if [ ! -x "$node" ] || [ ! -f "$weft" ]; then
  # Wireshark waits for somebody to open its pipe before it listens.
  [ ! -p "$fifo" ] || exec 3>"$fifo"
  echo "weft: $node or $weft is not there any more: run weft wireshark install again" >&2
  exit 1
fi
exec "$node" "$weft" wireshark extcap "$@"
`;
}
