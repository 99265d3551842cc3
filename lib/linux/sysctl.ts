// Values of net.ipv4.conf.*.rp_filter. Documentation/networking/ip-sysctl.rst. Only `export const NAME = number`.

/** Any route back to the source will do. */
export const RP_LOOSE = 2;
