// Where fields lie: the same files the TypeScript codecs use, so that an offset exists once.
export * from '../../wire/ethernet-layout';
export * from '../../wire/ip-layout';
export * from '../../wire/ipv4-layout';
export * from '../../wire/ipv6-layout';
export * from '../../wire/tcp-layout';
export * from '../../wire/udp-layout';
export * from '../../wire/vxlan-layout';
