"""What scripts/measure-web measures in a headless Chromium: measure-web.py DRIVER_PORT LOGIN_URL MAC PLUGS"""

import datetime
import json
import os
import sys
import time
import urllib.request

PORT, LOGIN, MAC, PLUGS = sys.argv[1:]
DRIVER = f"http://127.0.0.1:{PORT}"
HOME = LOGIN.split("/login?")[0]
TOKEN = open(os.environ["MAINS_STATE"] + "/admin-token").read().strip()
# The switch of a person who taps as soon as one is painted: when, in ms since 1970, and which plug.
TAP = """
if (location.pathname === '/' && !sessionStorage.tapped) {
  const tap = () => {
    const button = document.querySelector('button[role=switch]:not([disabled])');
    if (!button || !performance.getEntriesByName('first-contentful-paint').length) return requestAnimationFrame(tap);
    sessionStorage.tapped = JSON.stringify([performance.timeOrigin, performance.timeOrigin + performance.now(), button.closest('[data-mac]').dataset.mac]);
    button.click();
  };
  requestAnimationFrame(tap);
}
"""
# Round trip in ms, bits a second down and up: "fast 3G" of web performance tests, and of the browser's own tools.
NETWORKS = {"fast 3G (150 ms, 1.6 Mbit/s)": (150, 1.6e6, 0.75e6), "fast 3G of the browser's tools (563 ms, 1.44 Mbit/s)": (562.5, 1.51e6, 0.69e6)}
# Notes the time of each reading, and when a figure on the page changes.
WATCH = """
window.readings = [];
window.changes = [];
new EventSource(new URL('api/v1/events?kinds=reading', location)).addEventListener('reading', (event) => {
  const reading = JSON.parse(event.data);
  readings.push([reading.plug.replaceAll(':', '').toLowerCase(), Date.parse(reading.at)]);
});
new MutationObserver((records) => {
  for (const mac of new Set(records.map(({ target }) => target.closest?.('[data-field=power]')?.closest('[data-mac]').dataset.mac)))
    if (mac) changes.push([mac, Date.now()]);
}).observe(document.querySelector('#rooms'), { subtree: true, childList: true });
"""


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(DRIVER + path, method=method, data=data, headers={"content-type": "application/json"})
    return json.loads(urllib.request.urlopen(request, timeout=120).read())["value"]


while True:
    try:
        call("GET", "/status")
        break
    except OSError:
        time.sleep(0.1)
options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]}
session = call("POST", "/session", {"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}})
session = f"/session/{session['sessionId']}"


def js(script):
    return call("POST", f"{session}/execute/sync", {"script": script, "args": []})


def cdp(method, **params):
    return call("POST", f"{session}/goog/cdp/execute", {"cmd": method, "params": params})


def go(url):
    call("POST", f"{session}/url", {"url": url})


def until(script):
    end = time.monotonic() + 60
    while not js(script):
        assert time.monotonic() < end, script
        time.sleep(0.05)


def switched(mac, since):
    """The time in ms since 1970 at which the hub has the new position of a plug: that of its log, which has milliseconds."""
    headers = {"authorization": "Bearer " + TOKEN}
    while True:
        request = urllib.request.Request(f"{HOME}/api/v1/log?kinds=switch&plugs={mac}&limit=1", headers=headers)
        entries = json.loads(urllib.request.urlopen(request).read())
        for entry in entries:
            at = datetime.datetime.fromisoformat(entry["at"]).timestamp() * 1000
            if at >= since:
                return at
        time.sleep(0.05)


LIVE = "return document.querySelector('#live')?.textContent === 'Live'"
try:
    go(LOGIN)
    cdp("Network.enable")
    for name, path in [(f"home with {PLUGS} plugs", "/"), ("a plug", f"/plugs/{MAC}")]:
        cdp("Network.clearBrowserCache")
        go(HOME + path)
        until(LIVE)
        time.sleep(2)
        # Sizes without the headers, compressed. The page that is fetched again for live figures is not part of it.
        sizes = js("""return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource').filter((entry) => entry.initiatorType !== 'fetch')]
            .map((entry) => [new URL(entry.name).pathname, entry.encodedBodySize, entry.decodedBodySize])""")
        own = [size for size in sizes if "/api/" not in size[0]]
        print(f"{name}: {sum(size for _, size, _ in own) / 1000:.1f} KB compressed")
        for path_, size, raw in own:
            print(f"    {size:7} of {raw:7} bytes  {path_}")
    script = cdp("Page.addScriptToEvaluateOnNewDocument", source=TAP)["identifier"]
    for name, (latency, down, up) in NETWORKS.items():
        painted, carried_out = [], []
        for _ in range(5):
            go(HOME + "/healthz")
            js("sessionStorage.clear()")
            cdp("Network.clearBrowserCache")
            cdp("Network.emulateNetworkConditions", offline=False, latency=latency, downloadThroughput=down / 8, uploadThroughput=up / 8)
            cdp("Emulation.setCPUThrottlingRate", rate=4)
            cdp("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
            since = time.time() * 1000
            go(HOME + "/")
            until("return !!sessionStorage.tapped")
            begin, tapped, mac = json.loads(js("return sessionStorage.tapped"))
            painted.append(tapped - begin)
            carried_out.append(switched(mac, since) - begin)
        print(f"phone with a quarter of this machine's speed, empty cache, {name}:")
        print(f"    from the address to the first switch that can be tapped: median {sorted(painted)[2]:.0f} ms")
        print(f"    to the plug that has confirmed the tap to the hub: median {sorted(carried_out)[2]:.0f} ms")
    cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
    cdp("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)
    cdp("Emulation.setCPUThrottlingRate", rate=1)
    go(HOME + "/")
    until(LIVE)
    js(WATCH)
    time.sleep(25)
    readings, changes = js("return readings"), js("return changes")
    # Whichever stream is first, the reading was made before its figure stood there.
    moments = []
    for mac, now in changes:
        made = [at for plug, at in readings if plug == mac and at <= now]
        if made and now - made[-1] < 5000:
            moments.append(now - made[-1])
    moments.sort()
    at = lambda part: moments[min(len(moments) - 1, int(len(moments) * part))]
    print(f"from the reading to the figure on the page: {len(moments)} readings, p50 {at(0.5)} ms, p99 {at(0.99)} ms, worst {moments[-1]} ms")
finally:
    call("DELETE", session)
