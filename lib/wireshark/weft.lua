-- weft.lua: the tunnel packets of Weft and of flannel, for Wireshark and tshark 3.6 and newer. It needs nothing else of Weft:
-- put it into the folder "Personal Lua Plugins" (Help > About Wireshark > Folders), or start with -X lua_script:weft.lua
--
--   udp    port 8285: an IPv4 or an IPv6 packet right behind the UDP header; its first four bits tell which
--   vxlan  port 8472, the kernel's, which Wireshark by itself does not take for VXLAN
--
-- Preferences: Edit > Preferences > Protocols > WEFT, or -o weft.NAME:VALUE
--   weft.udp_ports, weft.vxlan_ports
--   weft.leases   A file that says which node has which subnet. `weft wireshark leases` writes it, a node a line:
--                   10.244.1.0/24 192.0.2.1 vni=1 mac=02:00:00:00:00:01
--                 What `etcdctl get --prefix /coreos.com/network/subnets` prints is understood as well. When none is named,
--                 "weft-leases" in the personal configuration folder is read, if it is there. Without leases nothing is said
--                 about who may send what. It is read when a file is opened, when a capture starts, when preferences change.
--
-- Display filters: weft   weft.finding   weft.source.foreign   weft.inner.src == 10.244.1.2   weft.ttl_delivered == 0

-- Wireshark's own dissectors read the packets, straight from the table of UDP ports. What is said beside them comes after all
-- layers: a dissector written in Lua must not call another one, since what a snap length cut off ends that call in a way that
-- Lua does not survive for long (C stack overflow after 200 packets, seen with 4.0.17).
-- Installed, and named on the command line as well: once is enough. Variables of a script are its own.
if package.loaded.weft_lua then return end
package.loaded.weft_lua = true

local weft = Proto("weft", "Weft tunnel")

local f = {
  version = ProtoField.uint8("weft.version", "Version of the inner packet", base.DEC, nil, 0xf0),
  source = ProtoField.ipv4("weft.inner.src", "Inner source"),
  destination = ProtoField.ipv4("weft.inner.dst", "Inner destination"),
  source6 = ProtoField.ipv6("weft.inner.src6", "Inner source"),
  destination6 = ProtoField.ipv6("weft.inner.dst6", "Inner destination"),
  ttl = ProtoField.uint8("weft.ttl_delivered", "TTL when it is delivered", base.DEC),
  lease = ProtoField.string("weft.lease", "Sender's subnets"),
  probe = ProtoField.bool("weft.probe", "Probe of weftd's peer monitor"),
  finding = ProtoField.bool("weft.finding", "Finding"),
}
weft.fields = { f.version, f.source, f.destination, f.source6, f.destination6, f.ttl, f.lease, f.probe, f.finding }

local G, S = expert.group, expert.severity
local e = {
  version = ProtoExpert.new("weft.version.unknown", "Neither IPv4 nor IPv6", G.MALFORMED, S.ERROR),
  length = ProtoExpert.new("weft.length", "The inner packet does not fill the datagram", G.MALFORMED, S.WARN),
  ttl_zero = ProtoExpert.new("weft.ttl.zero", "Inner TTL 0 on the wire", G.PROTOCOL, S.ERROR),
  ttl_last = ProtoExpert.new("weft.ttl.last", "Inner TTL 1 on the wire", G.SEQUENCE, S.NOTE),
  foreign = ProtoExpert.new("weft.source.foreign", "The inner source is not the sender's", G.SECURITY, S.ERROR),
  unknown = ProtoExpert.new("weft.source.unknown", "The sender has no lease", G.SECURITY, S.WARN),
  vni = ProtoExpert.new("weft.vni.foreign", "VNI of another network", G.PROTOCOL, S.WARN),
  mac = ProtoExpert.new("weft.mac.foreign", "Inner source MAC is not that of the sender's lease", G.SECURITY, S.NOTE),
  header = ProtoExpert.new("weft.vxlan.header", "VXLAN header with unexpected bits", G.PROTOCOL, S.WARN),
  leases = ProtoExpert.new("weft.leases.unusable", "No leases to check against", G.UNDECODED, S.WARN),
}
weft.experts = { e.version, e.length, e.ttl_zero, e.ttl_last, e.foreign, e.unknown, e.vni, e.mac, e.header, e.leases }

weft.prefs.udp_ports = Pref.range("UDP ports of the udp backend", "8285", "flannel's and Weft's default is 8285", 65535)
weft.prefs.vxlan_ports = Pref.range("UDP ports of the vxlan backend", "8472,4789", "flannel's and Weft's default is 8472, IANA's 4789", 65535)
weft.prefs.leases = Pref.string("File of leases", "", "A subnet and the address of its node a line; or as etcdctl prints keys")

-- Addresses: strings of 4 or 16 bytes.

local function parse_ipv4(text)
  local a, b, c, d = text:match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if not a then return nil end
  a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
  if a > 255 or b > 255 or c > 255 or d > 255 then return nil end
  return string.char(a, b, c, d)
end

-- The groups of one side of "::", two bytes each; nil: no address.
local function parse_groups(text)
  if text == "" then return "" end
  local bytes = {}
  for group in (text .. ":"):gmatch("([^:]*):") do
    if not group:match("^%x%x?%x?%x?$") then return nil end
    local value = tonumber(group, 16)
    bytes[#bytes + 1] = string.char((value - value % 256) / 256, value % 256)
  end
  return table.concat(bytes)
end

local function parse_ipv6(text)
  local head, tail = text:match("^(.-)::(.*)$")
  local left = parse_groups(head or text)
  local right = parse_groups(tail or "")
  if not left or not right then return nil end
  local missing = 16 - #left - #right
  if head and missing < 2 or not head and missing ~= 0 then return nil end
  return left .. string.rep("\0", missing) .. right
end

local function parse_address(text)
  return parse_ipv4(text) or parse_ipv6(text)
end

-- The first `bits` of an address, the others 0.
local function masked(bytes, bits)
  local whole = (bits - bits % 8) / 8
  if whole == #bytes then return bytes end
  local unit = 2 ^ (8 - bits % 8)
  local byte = bytes:byte(whole + 1)
  return bytes:sub(1, whole) .. string.char(byte - byte % unit) .. string.rep("\0", #bytes - whole - 1)
end

-- Leases.

local leases

local function new_leases(path)
  return { path = path, nodes = {}, count = 0, subnets = {}, lengths = {} }
end

-- "10.244.1.0/24", or with "-" as in etcd's keys; false where it is none.
local function add_subnet(into, text, node)
  local address_text, bits = text:match("^(%S+)[/-](%d+)$")
  local address = address_text and parse_address(address_text)
  bits = tonumber(bits)
  if not address or bits > #address * 8 then return false end
  local kind = #address * 1000 + bits
  if not into.subnets[kind] then
    into.subnets[kind] = {}
    into.lengths[#into.lengths + 1] = kind
  end
  local key = masked(address, bits)
  into.subnets[kind][key] = into.subnets[kind][key] or {}
  into.subnets[kind][key][node] = true
  into.count = into.count + 1
  node.subnets[#node.subnets + 1] = address_text .. "/" .. bits
  return true
end

-- The node of an outer address; nil where that is none.
local function node_at(into, text)
  local address = text and parse_address(text)
  if not address then return nil end
  local node = into.nodes[address]
  if not node then
    node = { name = text, subnets = {}, macs = {}, vnis = {} }
    into.nodes[address] = node
  end
  return node
end

local function add_line(into, line)
  local node
  local subnets = {}
  for word in line:gmatch("[^%s,]+") do
    local key, value = word:match("^(%a+)=(.+)$")
    if key == "vni" and node then node.vnis[tonumber(value) or -1] = true
    elseif key == "mac" and node then node.macs[value:lower()] = true
    elseif word:find("/", 1, true) then subnets[#subnets + 1] = word
    elseif node == nil then
      node = node_at(into, word)
      if not node then return false end
    else
      -- The same node's other address.
      local address = parse_address(word)
      if not address then return false end
      into.nodes[address] = node
    end
  end
  if not node or #subnets == 0 then return false end
  for _, subnet in ipairs(subnets) do
    if not add_subnet(into, subnet, node) then return false end
  end
  return true
end

-- A key of etcd's, ".../subnets/10.244.1.0-24" or ".../10.244.1.0-24&fd00:0:0:1::-64", and its value.
local function add_key(into, key, value)
  local name = key:match("([^/]+)$") or ""
  local first, second = name:match("^([^&]+)&(.+)$")
  local node = node_at(into, value:match('"PublicIP"%s*:%s*"([^"]+)"'))
  if not node then return false end
  local public6 = value:match('"PublicIPv6"%s*:%s*"([^"]+)"')
  local address6 = public6 and parse_address(public6)
  if address6 then into.nodes[address6] = node end
  for vni in value:gmatch('"VNI"%s*:%s*(%d+)') do node.vnis[tonumber(vni)] = true end
  for mac in value:gmatch('"VtepMAC"%s*:%s*"([^"]+)"') do node.macs[mac:lower()] = true end
  return add_subnet(into, first or name, node) and (second == nil or add_subnet(into, second, node))
end

-- Returns leases, or nil and why not.
local function read_leases(path)
  local file, reason = io.open(path, "r")
  if not file then return nil, reason end
  local into = new_leases(path)
  local key
  local number = 0
  for line in file:lines() do
    number = number + 1
    line = line:gsub("\r$", "")
    local good = true
    if line:match("^%s*#") or line:match("^%s*$") then good = true
    elseif line:match("^/%S+$") then key = line
    elseif line:match("^%s*{") then
      good = key == nil or key:match("/config$") ~= nil or add_key(into, key, line)
      key = nil
    else good = add_line(into, line) end
    if not good then
      file:close()
      return nil, path .. ", line " .. number .. ": no subnet with the address of its node"
    end
  end
  file:close()
  table.sort(into.lengths, function(a, b) return a > b end)
  if into.count == 0 then return nil, path .. " holds no lease" end
  return into
end

local leases_problem

local function load_leases()
  leases, leases_problem = nil, nil
  local path = weft.prefs.leases
  local named = path ~= nil and path ~= ""
  if not named then path = Dir.personal_config_path("weft-leases") end
  local read, reason = read_leases(path)
  if read then leases = read
  elseif named or io.open(path, "r") then leases_problem = reason end
end

-- The nodes whose lease an address lies in, as keys: several, where networks use the same subnets. nil: none.
local function holders_of(address)
  for _, kind in ipairs(leases.lengths) do
    local bits = kind % 1000
    if kind - bits == #address * 1000 then
      local nodes = leases.subnets[kind][masked(address, bits)]
      if nodes then return nodes end
    end
  end
  return nil
end

-- Packets.

local udp_port = Field.new("udp.dstport")
local outer_fields = { Field.new("ip.src"), Field.new("ipv6.src") }

-- Source address in the header right before `at` of the bytes in hand: that of the last field that begins there.
local function source_before(at)
  local best
  for _, field in ipairs(outer_fields) do
    for _, info in ipairs({ field() }) do
      if info.offset < at and (best == nil or info.offset > best.offset) then best = info end
    end
  end
  return best and best.range:raw()
end

local function found(tree, which, text)
  tree:add_proto_expert_info(which, text)
  if which ~= e.ttl_last and which ~= e.mac then tree:add(f.finding, true):set_generated() end
end

-- Does the sender hold the lease that `source`, an inner address, lies in? Returns the sender's node.
local function check_source(tree, outer, source, source_text)
  if not leases then
    if leases_problem then tree:add_proto_expert_info(e.leases, leases_problem) end
    return nil
  end
  local sender = outer and leases.nodes[outer]
  if not sender then
    found(tree, e.unknown, "The sender has no lease in " .. leases.path)
    return nil
  end
  tree:add(f.lease, table.concat(sender.subnets, " ")):set_generated()
  if not source then return sender end
  local holders = holders_of(source)
  local inner = "Inner source " .. source_text
  if holders == nil then
    found(tree, e.foreign, inner .. " is in no lease; the sender is " .. sender.name)
  elseif not holders[sender] then
    found(tree, e.foreign, inner .. " belongs to " .. next(holders).name .. "; the sender is " .. sender.name)
  end
  return sender
end

-- Whether ICMP at `at` is an echo of weftd's own: its data begin with these eight bytes.
local function is_probe(tvb, protocol, at)
  return (protocol == 1 or protocol == 58) and tvb:len() >= at + 16 and tvb:raw(at + 8, 8) == "weftecho"
end

-- The header at `at`; nil where it is none, or where too little was kept.
local function read_ip(tvb, at)
  if tvb:len() < at + 1 then return nil end
  local version = tvb(at, 1):bitfield(0, 4)
  if version == 4 and tvb:len() >= at + 20 then
    local source = tvb(at + 12, 4)
    return {
      source = source, destination = tvb(at + 16, 4), fields = { f.source, f.destination },
      text = table.concat({ source:raw():byte(1, 4) }, "."), ttl = tvb(at + 8, 1), length = tvb(at + 2, 2):uint(),
      probe = is_probe(tvb, tvb(at + 9, 1):uint(), at + tvb(at, 1):bitfield(4, 4) * 4),
    }
  end
  if version == 6 and tvb:len() >= at + 40 then
    local source = tvb(at + 8, 16)
    return {
      source = source, destination = tvb(at + 24, 16), fields = { f.source6, f.destination6 },
      text = tostring(source:ipv6()), ttl = tvb(at + 7, 1), length = tvb(at + 4, 2):uint() + 40,
      probe = is_probe(tvb, tvb(at + 6, 1):uint(), at + 40),
    }
  end
  return nil
end

local function add_addresses(tree, packet)
  tree:add(packet.fields[1], packet.source):set_generated()
  tree:add(packet.fields[2], packet.destination):set_generated()
  if packet.probe then tree:add(f.probe, true):set_generated() end
end

-- flannel's udp proxies take one off the TTL twice: before they send, and again when they have received.
local function check_ttl(tree, range)
  local ttl = range:uint()
  tree:add(f.ttl, range, ttl > 0 and ttl - 1 or 0):set_generated()
  if ttl == 0 then
    found(tree, e.ttl_zero, "Inner TTL 0 on the wire: Weft drops it; flannel makes it 255 and delivers it")
  elseif ttl == 1 then
    found(tree, e.ttl_last, "Inner TTL 1 on the wire: the receiving node takes one off and drops it")
  end
end

local function check_length(tree, packet, there)
  -- 0: a super-packet longer than the field can say.
  if packet.length == there or packet.length == 0 then return end
  local why = packet.length < there and ": perhaps a train of datagrams that was not cut" or ""
  found(tree, e.length, "The inner packet has " .. packet.length .. " bytes, the datagram " .. there .. why)
end

-- `at`: where the inner packet begins. `there`: how many bytes the datagram says it has.
local function check_udp(tvb, at, there, outer, tree)
  if there <= 0 or tvb:len() <= at then return end
  local version = tvb(at, 1):bitfield(0, 4)
  local item = tree:add(weft, tvb(at, 0))
  item:append_text(", udp, IPv" .. version .. " inside")
  item:add(f.version, tvb(at, 1))
  if version ~= 4 and version ~= 6 then
    found(item, e.version, "The first four bits are " .. version .. ", neither IPv4 nor IPv6: the receiver drops it")
    return
  end
  local packet = read_ip(tvb, at)
  if not packet then return end
  add_addresses(item, packet)
  check_ttl(item, packet.ttl)
  check_length(item, packet, there)
  check_source(item, outer, packet.source:raw(), packet.text)
end

-- Offset of the IP packet in the frame at `at`; nil: none.
local function ip_in_frame(tvb, at)
  if tvb:len() < at + 14 then return nil end
  local kind, header = tvb(at + 12, 2):uint(), 14
  if kind == 0x8100 and tvb:len() >= at + 18 then kind, header = tvb(at + 16, 2):uint(), 18 end
  return (kind == 0x0800 or kind == 0x86dd) and at + header or nil
end

-- `at`: where the VXLAN header begins.
local function check_vxlan(tvb, at, outer, tree)
  if tvb:len() < at + 8 then return end
  local vni = tvb(at + 4, 3):uint()
  local item = tree:add(weft, tvb(at, 0))
  item:append_text(", vxlan, VNI " .. vni)
  if tvb(at, 4):uint() ~= 0x08000000 or tvb(at + 7, 1):uint() ~= 0 then
    found(item, e.header, "VXLAN flags are not 08, or reserved bits are set")
  end
  local frame = at + 8
  local inner = ip_in_frame(tvb, frame)
  local packet = inner and read_ip(tvb, inner)
  if packet then add_addresses(item, packet) end
  local sender = check_source(item, outer, packet and packet.source:raw(), packet and packet.text)
  if not sender then return end
  if next(sender.vnis) and not sender.vnis[vni] then
    found(item, e.vni, "VNI " .. vni .. " is not that of the lease of " .. sender.name)
  end
  if tvb:len() < frame + 12 or not next(sender.macs) then return end
  local mac = string.format("%02x:%02x:%02x:%02x:%02x:%02x", tvb(frame + 6, 6):raw():byte(1, 6))
  if not sender.macs[mac] then
    local lease = " is not that of the lease of " .. sender.name .. "; normal where MACs are learned"
    found(item, e.mac, "Inner source MAC " .. mac .. lease)
  end
end

-- Ports.

-- "8285,9000-9010" as pairs of numbers.
local function ranges_of(text)
  local ranges = {}
  for part in text:gmatch("[^,%s]+") do
    local low, high = part:match("^(%d+)-?(%d*)$")
    if low then ranges[#ranges + 1] = { tonumber(low), tonumber(high) or tonumber(low) } end
  end
  return ranges
end

local function is_in(ranges, port)
  for _, range in ipairs(ranges) do
    if port >= range[1] and port <= range[2] then return true end
  end
  return false
end

local ports = DissectorTable.get("udp.port")
local udp = { dissector = Dissector.get("ip"), ranges = {} }
-- It has had other names than "vxlan"; what is at IANA's port has not changed.
local vxlan = { dissector = ports:get_dissector(4789), ranges = {} }

local function register(kind, wanted)
  for _, range in ipairs(kind.ranges) do
    -- IANA's port was there before.
    for port = range[1], range[2] do
      if port ~= 4789 then ports:remove(port, kind.dissector) end
    end
  end
  kind.ranges = ranges_of(wanted)
  for _, range in ipairs(kind.ranges) do ports:add(range[1] .. "-" .. range[2], kind.dissector) end
end

local function register_all()
  register(udp, tostring(weft.prefs.udp_ports))
  register(vxlan, tostring(weft.prefs.vxlan_ports))
end

function weft.dissector(_, _, tree)
  for _, info in ipairs({ udp_port() }) do
    local port, at, tvb = info.value, info.offset - 2, info.source
    if tvb:len() < at + 8 then return end
    if is_in(udp.ranges, port) then
      check_udp(tvb, at + 8, tvb(at + 4, 2):uint() - 8, source_before(at), tree)
    elseif is_in(vxlan.ranges, port) then
      check_vxlan(tvb, at + 8, source_before(at), tree)
    end
  end
end

function weft.prefs_changed()
  register_all()
  load_leases()
end

-- Before a file is read, or a capture starts.
function weft.init()
  load_leases()
end

register_all()
register_postdissector(weft)
