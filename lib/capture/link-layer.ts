/** From the first byte of a captured frame to the IP header. https://www.tcpdump.org/linktypes.html */
import {
  ETHERNET_HEADER,
  ETHERNET_TYPE,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  ETHERTYPE_PROVIDER_VLAN,
  ETHERTYPE_VLAN,
  VLAN_NEXT_TYPE,
  VLAN_TAG,
} from '../wire/layout/ethernet.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './link-type.ts';

/** Of the BSDs' DLT_RAW, in files of old libpcaps. */
const LINKTYPE_OLD_RAW = 12;
const LINKTYPE_IPV4 = 228;
const LINKTYPE_IPV6 = 229;
/** "Cooked": what tcpdump -i any writes. */
const LINKTYPE_SLL = 113;
const SLL_TYPE = 14;
const SLL_HEADER = 16;
const LINKTYPE_SLL2 = 276;
const SLL2_HEADER = 20;

const KNOWN: ReadonlySet<number> = new Set([
  LINKTYPE_ETHERNET,
  LINKTYPE_RAW,
  LINKTYPE_OLD_RAW,
  LINKTYPE_IPV4,
  LINKTYPE_IPV6,
  LINKTYPE_SLL,
  LINKTYPE_SLL2,
]);

export function isKnownLinkType(linkType: number): boolean {
  return KNOWN.has(linkType);
}

/** Where the IP packet begins; undefined where there is none, or not enough of the frame was kept to see it. */
export function ipOffset(view: DataView, linkType: number): number | undefined {
  switch (linkType) {
    case LINKTYPE_RAW:
    case LINKTYPE_OLD_RAW:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
      return view.byteLength > 0 ? 0 : undefined;
    case LINKTYPE_SLL:
      return behindType(view, SLL_TYPE, SLL_HEADER);
    case LINKTYPE_SLL2:
      return behindType(view, 0, SLL2_HEADER);
    case LINKTYPE_ETHERNET:
      return behindType(view, ETHERNET_TYPE, ETHERNET_HEADER);
    default:
      return undefined;
  }
}

/** `at`: where the EtherType is, `header`: where what it names begins. VLAN tags are passed. */
function behindType(view: DataView, at: number, header: number): number | undefined {
  let type = at;
  let start = header;
  while (start <= view.byteLength && type + 2 <= view.byteLength) {
    switch (view.getUint16(type)) {
      case ETHERTYPE_IPV4:
      case ETHERTYPE_IPV6:
        return start < view.byteLength ? start : undefined;
      case ETHERTYPE_VLAN:
      case ETHERTYPE_PROVIDER_VLAN:
        type = start + VLAN_NEXT_TYPE;
        start += VLAN_TAG;
        break;
      default:
        return undefined;
    }
  }
  return undefined;
}
