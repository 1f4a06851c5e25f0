// Events for all pages of a browser over one connection: it allows six to a server, and a page holds its own for good.
"use strict";

// Call hear(text) with each event, and hear(null) where the server does not know the token any more.
function follow(root, query, hear) {
  let source = null;
  const connect = () => {
    if (source) source.close();
    source = new EventSource(`${root}events${query}`);
    source.addEventListener("message", (event) => hear(event.data));
    source.addEventListener("error", () => { if (source.readyState === EventSource.CLOSED) setTimeout(look, 1000); });
  };
  // A browser gives up where it is refused: by a proxy for a while, or by a dashboard that was begun again.
  const look = async () => {
    const answer = await fetch(`${root}static/page.css${query}`, { method: "HEAD" }).catch(() => null);
    if (answer && answer.status === 403) hear(null);
    else connect();
  };
  connect();
  return connect;
}

if (typeof SharedWorkerGlobalScope !== "undefined") {
  const ports = [];
  let again = null;
  addEventListener("connect", (event) => {
    ports.push(event.ports[0]);
    const tell = (text) => ports.forEach((port) => port.postMessage(text));
    if (again) again(); // a new page has to hear all of it
    else again = follow(new URL("..", location.href).href, location.search, tell);
  });
}
