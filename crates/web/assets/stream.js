// A shared worker: one stream of events for all windows of a browser, which allows about six connections to a host.

const EVENTS = ["plug", "reading", "availability", "group", "schedule", "rule", "tariff", "log", "takeover", "reset"];
/** Ports of the windows that follow the stream. */
const windows = new Set();
let stream = null;

function tell(message) {
  for (const port of windows) port.postMessage(message);
}

function open(url) {
  stream = new EventSource(url);
  stream.onopen = () => tell({ type: "open" });
  stream.onerror = () => {
    close();
    // Each finds out by itself whether it is still logged in, and then follows again.
    tell({ type: "error" });
    windows.clear();
  };
  for (const type of EVENTS) stream.addEventListener(type, ({ data }) => tell({ type, data }));
}

function close() {
  stream?.close();
  stream = null;
}

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data: { follow } }) => {
    if (follow) {
      windows.add(port);
      if (!stream) open(follow);
      else if (stream.readyState === EventSource.OPEN) port.postMessage({ type: "open" });
    } else {
      windows.delete(port);
      if (!windows.size) close();
    }
  };
};
