// RFC 7348 §5
export const VXLAN_FLAGS = 0;
export const VXLAN_VNI = 4;
export const VXLAN_HEADER = 8;

// The I flag: the VNI is valid.
export const VXLAN_FLAG_VNI = 0x08;
