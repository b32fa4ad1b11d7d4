"""NetworkManager with its device states, for python-dbusmock.

The stock template `networkmanager` jumps straight to ACTIVATED and knows no keys. This one walks a Wi-Fi device through
PREPARE, CONFIG, NEED_AUTH, IP_CONFIG ... with a StateChanged signal for each step, checks the key, and can fail in the
ways that matter to a program that joins a network: wrong key, vanished access point, no DHCP, an activation that hangs.

Parameters: {"modern": bool}  with or without AddAndActivateConnection2 (NetworkManager 1.16).
            {"own": bool}     profiles for all users of the computer are denied

Control, on org.freedesktop.DBus.Mock of the main object: AddWifi, AddNetwork, RemoveNetwork, AddSaved, Use, Plan,
Hurry, LoseAgent, Reboot, Report.
"""

import json
import uuid

import dbus
from gi.repository import GLib

import dbusmock
from dbusmock import MOCK_IFACE

BUS_NAME = "org.freedesktop.NetworkManager"
MAIN_OBJ = "/org/freedesktop"
SYSTEM_BUS = True
IS_OBJECT_MANAGER = True

NM = "org.freedesktop.NetworkManager"
NM_PATH = "/org/freedesktop/NetworkManager"
DEVICE = NM + ".Device"
WIRELESS = NM + ".Device.Wireless"
POINT = NM + ".AccessPoint"
ACTIVE = NM + ".Connection.Active"
SETTINGS = NM + ".Settings"
SAVED = NM + ".Settings.Connection"
NOWHERE = dbus.ObjectPath("/")

# NMDeviceState
DISCONNECTED, PREPARE, CONFIG, NEED_AUTH, IP_CONFIG = 30, 40, 50, 60, 70
IP_CHECK, SECONDARIES, ACTIVATED, DEACTIVATING, FAILED = 80, 90, 100, 110, 120
# NMDeviceStateReason
NONE, UNAVAILABLE_IP, NO_SECRETS, SUPPLICANT_DISCONNECT = 0, 5, 7, 8
USER_REQUESTED, SSID_NOT_FOUND, NEW_ACTIVATION, CONNECTION_REMOVED = 39, 53, 60, 38
# NMSettingsConnectionFlags
VOLATILE = 4


class World:
    """What this NetworkManager knows, beside what its objects show."""

    def __init__(self, modern, own):
        self.modern = modern
        self.own = own
        self.counter = 0
        self.keys = {}  # access point path -> key
        self.profiles = {}  # profile path -> settings
        self.bound = set()  # profiles that end with the client
        self.plan = []  # how the coming activations of profiles made over D-Bus go
        self.made = set()  # profiles made over D-Bus
        self.hurries = False  # connects by itself just before it is asked to
        self.no_agent = False  # nobody gives the keys of the owner's profiles
        self.timer = None
        self.events = []

    def number(self):
        self.counter += 1
        return self.counter


WORLD = None


def log(*event):
    WORLD.events.append(list(event))


def error(name, text):
    return dbus.exceptions.DBusException(text, name=f"{NM}.{name}")


def obj(path):
    return dbusmock.get_object(path)


def ssid_of(settings):
    return bytes(settings["802-11-wireless"]["ssid"])


def update(target, interface, **values):
    """Sets properties; the mock sends PropertiesChanged for each."""
    for name, value in values.items():
        target.Set(interface, name, value)


def devices():
    return [obj(path) for path in obj(NM_PATH).Get(NM, "AllDevices")]


def move(device, state, reason):
    """Moves the device to a state and says so."""
    old = device.Get(DEVICE, "State")
    if old == state and state != FAILED:
        return
    pair = dbus.Struct((dbus.UInt32(state), dbus.UInt32(reason)), signature="uu")
    update(device, DEVICE, State=dbus.UInt32(state), StateReason=pair)
    device.EmitSignal(DEVICE, "StateChanged", "uuu", [dbus.UInt32(state), dbus.UInt32(old), dbus.UInt32(reason)])


def settle(device):
    """A disconnected device that may connects by itself to the last used profile in reach."""
    if not device.Get(DEVICE, "Autoconnect") or device.Get(DEVICE, "State") != DISCONNECTED:
        return
    for path, settings in WORLD.profiles.items():
        if settings["connection"].get("autoconnect", True) and point_for(device, settings):
            log("autoconnect", str(settings["connection"]["uuid"]))
            begin(device, path)
            return


def point_for(device, settings):
    """The strongest access point with the name, and with the address and the protection, if the profile says them."""
    points = list(device.Get(WIRELESS, "AccessPoints"))
    for path in sorted(points, key=lambda path: -int(obj(path).Get(POINT, "Strength"))):
        point = obj(path)
        bssid = settings["802-11-wireless"].get("bssid")
        address = ":".join(f"{byte:02X}" for byte in bssid) if bssid else None
        if bytes(point.Get(POINT, "Ssid")) != ssid_of(settings):
            continue
        if ("802-11-wireless-security" in settings) != (path in WORLD.keys):
            continue
        if address in (None, str(point.Get(POINT, "HwAddress"))):
            return path
    return None


def halt():
    if WORLD.timer is not None:
        GLib.source_remove(WORLD.timer)
        WORLD.timer = None


def end_active(device, reason):
    """Takes whatever is on the device off it; volatile profiles die with their activation."""
    halt()
    active = device.Get(DEVICE, "ActiveConnection")
    update(device, DEVICE, ActiveConnection=NOWHERE)
    if active == NOWHERE:
        return
    profile = obj(active).Get(ACTIVE, "Connection")
    obj(NM_PATH).RemoveObject(active)
    if profile in WORLD.bound:
        forget(profile)


def forget(profile):
    settings = WORLD.profiles.pop(profile, None)
    WORLD.bound.discard(profile)
    if settings is not None:
        log("forgotten", str(settings["connection"]["uuid"]))
        obj(NM_PATH).RemoveObject(profile)


def fail(device, reason):
    move(device, FAILED, reason)
    end_active(device, reason)
    move(device, DISCONNECTED, reason)
    GLib.timeout_add(20, lambda: settle(device) or False)


def steps_for(device, profile):
    """The states that an activation passes: (delay in ms, state, reason)."""
    settings = WORLD.profiles[profile]
    plan = WORLD.plan.pop(0) if profile in WORLD.made and WORLD.plan else "ok"
    delay = int(plan.split(":")[1]) if plan.startswith("slow:") else 4
    point = point_for(device, settings)
    start = [(delay, CONFIG, NONE)]
    if plan == "hang":
        return start
    if point is None or plan == "vanish":
        if point is not None:
            drop_point(device, point)
        return start + [(delay, FAILED, SSID_NOT_FOUND)]
    asked = start
    key = WORLD.keys.get(point)
    if key is not None:
        asked = start + [(delay, NEED_AUTH, NONE), (delay, PREPARE, NONE)] + start
        given = settings.get("802-11-wireless-security", {}).get("psk")
        if given != key:
            return asked + [(delay, NEED_AUTH, SUPPLICANT_DISCONNECT), (delay, FAILED, NO_SECRETS)]
    if WORLD.no_agent and profile not in WORLD.made:
        return start + [(delay, NEED_AUTH, NONE), (delay, FAILED, NO_SECRETS)]
    if plan == "no-dhcp":
        return asked + [(delay, IP_CONFIG, NONE), (delay, FAILED, UNAVAILABLE_IP)]
    rest = (IP_CONFIG, IP_CHECK, SECONDARIES, ACTIVATED)
    return asked + [(delay, state, NONE) for state in rest]


def begin(device, profile):
    """Starts to activate a profile on the device; what was there before goes."""
    if device.Get(DEVICE, "State") > DISCONNECTED:
        move(device, DEACTIVATING, NEW_ACTIVATION)
        end_active(device, NEW_ACTIVATION)
        move(device, DISCONNECTED, NEW_ACTIVATION)
    settings = WORLD.profiles[profile]
    path = f"{NM_PATH}/ActiveConnection/{WORLD.number()}"
    point = point_for(device, settings)
    obj(NM_PATH).AddObject(
        path,
        ACTIVE,
        {
            "Connection": dbus.ObjectPath(profile),
            "Uuid": settings["connection"]["uuid"],
            "Id": settings["connection"]["id"],
            "Type": "802-11-wireless",
            "SpecificObject": dbus.ObjectPath(point or "/"),
            "State": dbus.UInt32(1),
        },
        [],
    )
    update(device, DEVICE, ActiveConnection=dbus.ObjectPath(path))
    log("activate", str(settings["connection"]["uuid"]))
    halt()
    steps = steps_for(device, profile)
    move(device, PREPARE, NONE)
    walk(device, steps)
    return dbus.ObjectPath(path)


def walk(device, steps):
    if not steps:
        return
    delay, state, reason = steps[0]

    def step():
        WORLD.timer = None
        if state == FAILED:
            fail(device, reason)
        else:
            move(device, state, reason)
            walk(device, steps[1:])
        return False

    WORLD.timer = GLib.timeout_add(delay, step)


def add_profile(settings, made, flags):
    path = dbus.ObjectPath(f"{NM_PATH}/Settings/{WORLD.number()}")
    WORLD.profiles[path] = settings
    if made:
        WORLD.made.add(path)
    obj(NM_PATH).AddObject(
        path,
        SAVED,
        {"Flags": dbus.UInt32(flags)},
        [("Delete", "", "", delete)],
    )
    return path


# What the D-Bus methods of NetworkManager do.


def check_permission(settings):
    if WORLD.own and not settings["connection"].get("permissions"):
        log("denied")
        raise error("Settings.PermissionDenied", "Insufficient privileges")


def add_and_activate2(_self, settings, device, _specific, options):
    check_permission(settings)
    log("add2", {str(k): str(v) for k, v in options.items()}, plain(settings))
    if device not in obj(NM_PATH).Get(NM, "AllDevices"):
        raise error("UnknownDevice", "no such device")
    profile = add_profile(settings, True, VOLATILE)
    WORLD.bound.add(profile)
    return (profile, begin(obj(device), profile), dbus.Dictionary({}, signature="sv"))


def add_unsaved(_self, settings):
    check_permission(settings)
    log("add_unsaved", plain(settings))
    return add_profile(settings, True, 1)


def activate(_self, profile, device, _specific):
    if profile not in WORLD.profiles:
        raise error("UnknownConnection", "no such connection")
    if WORLD.hurries:
        settle(obj(device))
    return begin(obj(device), profile)


def by_uuid(_self, wanted):
    for path, settings in WORLD.profiles.items():
        if settings["connection"]["uuid"] == wanted:
            return path
    raise error("Settings.InvalidConnection", f"there is no connection with UUID {wanted}")


def delete(self):
    path = dbus.ObjectPath(self.path)
    settings = WORLD.profiles.get(path)
    log("delete", str(settings["connection"]["uuid"]))
    WORLD.bound.discard(path)
    for device in devices():
        active = device.Get(DEVICE, "ActiveConnection")
        if active != NOWHERE and obj(active).Get(ACTIVE, "Connection") == path:
            end_active(device, CONNECTION_REMOVED)
            move(device, DISCONNECTED, CONNECTION_REMOVED)
            GLib.timeout_add(20, lambda device=device: settle(device) or False)
    forget(path)


def disconnect(self):
    if self.Get(DEVICE, "ActiveConnection") == NOWHERE:
        raise error("Device.NotActive", "this device is not active")
    log("disconnect")
    move(self, DEACTIVATING, USER_REQUESTED)
    end_active(self, USER_REQUESTED)
    # NetworkManager does not connect by itself what its user has disconnected.
    update(self, DEVICE, Autoconnect=False)
    move(self, DISCONNECTED, USER_REQUESTED)


def request_scan(self, _options):
    stamp = self.Get(WIRELESS, "LastScan")

    def done():
        update(self, WIRELESS, LastScan=dbus.Int64(stamp + 1000))
        return False

    GLib.timeout_add(10, done)


def client_gone(name, _old, new):
    """Ends what is bound to a client that has left the bus."""
    if new or not name.startswith(":") or WORLD is None or not WORLD.bound:
        return
    for device in devices():
        active = device.Get(DEVICE, "ActiveConnection")
        if active == NOWHERE or obj(active).Get(ACTIVE, "Connection") not in WORLD.bound:
            continue
        log("client gone")
        move(device, DEACTIVATING, CONNECTION_REMOVED)
        end_active(device, CONNECTION_REMOVED)
        move(device, DISCONNECTED, CONNECTION_REMOVED)
        GLib.timeout_add(20, lambda device=device: settle(device) or False)


def drop_point(device, path):
    points = [p for p in device.Get(WIRELESS, "AccessPoints") if p != path]
    update(device, WIRELESS, AccessPoints=dbus.Array(points, signature="o"))
    WORLD.keys.pop(path, None)
    obj(NM_PATH).RemoveObject(path)


def plain(settings):
    """Settings as JSON can carry them, without the key."""
    return {
        str(group): {
            str(key): bytes(value).decode("utf-8", "replace") if key == "ssid" else str(value)
            for key, value in values.items()
            if key != "psk"
        }
        for group, values in settings.items()
    }


def load(mock, parameters):
    global WORLD  # pylint: disable=global-statement
    WORLD = World(parameters.get("modern", True), parameters.get("own", False))
    methods = [
        ("GetDevices", "", "ao", lambda self: self.Get(NM, "AllDevices")),
        ("ActivateConnection", "ooo", "o", activate),
    ]
    if WORLD.modern:
        methods.append(("AddAndActivateConnection2", "a{sa{sv}}ooa{sv}", "ooa{sv}", add_and_activate2))
    mock.AddObject(
        NM_PATH,
        NM,
        {"AllDevices": dbus.Array([], signature="o"), "WirelessEnabled": True, "Version": "1.42.4"},
        methods,
    )
    mock.AddObject(
        NM_PATH + "/Settings",
        SETTINGS,
        {},
        [
            ("GetConnectionByUuid", "s", "o", by_uuid),
            ("AddConnectionUnsaved", "a{sa{sv}}", "o", add_unsaved),
        ],
    )
    mock.connection.add_signal_receiver(
        client_gone, "NameOwnerChanged", "org.freedesktop.DBus", "org.freedesktop.DBus"
    )


# What a test says and asks.


@dbus.service.method(MOCK_IFACE, in_signature="su", out_signature="o")
def AddWifi(_self, interface, state):
    """Adds a Wi-Fi adapter in the given state."""
    path = dbus.ObjectPath(f"{NM_PATH}/Devices/{WORLD.number()}")
    manager = obj(NM_PATH)
    manager.AddObject(
        path,
        WIRELESS,
        {"AccessPoints": dbus.Array([], signature="o"), "LastScan": dbus.Int64(1000)},
        [
            ("RequestScan", "a{sv}", "", request_scan),
            ("GetAllAccessPoints", "", "ao", lambda self: self.Get(WIRELESS, "AccessPoints")),
        ],
    )
    device = obj(path)
    device.AddProperties(
        DEVICE,
        {
            "DeviceType": dbus.UInt32(2),
            "Interface": interface,
            "State": dbus.UInt32(state),
            "StateReason": dbus.Struct((dbus.UInt32(state), dbus.UInt32(0)), signature="uu"),
            "ActiveConnection": NOWHERE,
            "Autoconnect": True,
        },
    )
    device.AddMethod(DEVICE, "Disconnect", "", "", disconnect)
    devices = list(manager.Get(NM, "AllDevices")) + [path]
    update(manager, NM, AllDevices=dbus.Array(devices, signature="o"))
    return path


@dbus.service.method(MOCK_IFACE, in_signature="osys", out_signature="o")
def AddNetwork(_self, device, ssid, strength, key):
    """Puts an access point in reach; an empty key is an open one."""
    number = WORLD.number()
    path = dbus.ObjectPath(f"{NM_PATH}/AccessPoint/{number}")
    security = dbus.UInt32(0x188 if key else 0)
    obj(NM_PATH).AddObject(
        path,
        POINT,
        {
            "Ssid": dbus.ByteArray(ssid.encode()),
            "HwAddress": f"02:00:00:00:00:{number:02X}",
            "Strength": dbus.Byte(strength),
            "Flags": dbus.UInt32(1 if key else 0),
            "WpaFlags": dbus.UInt32(0),
            "RsnFlags": security,
        },
        [],
    )
    if key:
        WORLD.keys[path] = key
    points = list(obj(device).Get(WIRELESS, "AccessPoints")) + [path]
    update(obj(device), WIRELESS, AccessPoints=dbus.Array(points, signature="o"))
    return path


@dbus.service.method(MOCK_IFACE, in_signature="os", out_signature="")
def RemoveNetwork(_self, device, ssid):
    """Takes an access point out of reach."""
    for path in list(obj(device).Get(WIRELESS, "AccessPoints")):
        if bytes(obj(path).Get(POINT, "Ssid")) == ssid.encode():
            drop_point(obj(device), path)


@dbus.service.method(MOCK_IFACE, in_signature="sssb", out_signature="s")
def AddSaved(_self, name, ssid, key, volatile):
    """Adds a profile of the computer's owner; returns its UUID."""
    settings = {
        "connection": {"id": name, "uuid": str(uuid.uuid4()), "type": "802-11-wireless"},
        "802-11-wireless": {"ssid": dbus.ByteArray(ssid.encode())},
        "802-11-wireless-security": {"psk": key},
    }
    add_profile(settings, False, VOLATILE if volatile else 0)
    return settings["connection"]["uuid"]


@dbus.service.method(MOCK_IFACE, in_signature="os", out_signature="")
def Use(_self, device, wanted):
    """Activates a profile, as its owner would."""
    begin(obj(device), by_uuid(None, wanted))


@dbus.service.method(MOCK_IFACE, in_signature="o", out_signature="")
def Reboot(_self, device):
    """Forgets what was in memory only, and connects by itself as after a start."""
    end_active(obj(device), NONE)
    for path in list(WORLD.made):
        forget(path)
    WORLD.made.clear()
    move(obj(device), DISCONNECTED, NONE)
    settle(obj(device))


@dbus.service.method(MOCK_IFACE, in_signature="as", out_signature="")
def Plan(_self, outcomes):
    """How the coming activations of profiles made over D-Bus go: ok, vanish, no-dhcp, hang, slow:MS."""
    WORLD.plan = [str(outcome) for outcome in outcomes]


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="")
def LoseAgent(_self):
    """From now on nobody gives the keys of the owner's profiles."""
    WORLD.no_agent = True


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="")
def Hurry(_self):
    """From now on a disconnected device connects by itself at the last moment before it is asked to."""
    WORLD.hurries = True


@dbus.service.method(MOCK_IFACE, in_signature="", out_signature="s")
def Report(_self):
    """What happened so far, and what is now, as JSON."""
    now = []
    for path in obj(NM_PATH).Get(NM, "AllDevices"):
        active = obj(path).Get(DEVICE, "ActiveConnection")
        now.append(
            {
                "interface": str(obj(path).Get(DEVICE, "Interface")),
                "state": int(obj(path).Get(DEVICE, "State")),
                "autoconnect": bool(obj(path).Get(DEVICE, "Autoconnect")),
                "active": None if active == NOWHERE else str(obj(active).Get(ACTIVE, "Uuid")),
            }
        )
    profiles = [str(s["connection"]["uuid"]) for s in WORLD.profiles.values()]
    return json.dumps({"events": WORLD.events, "devices": now, "profiles": profiles})
