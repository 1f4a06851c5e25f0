// The real express-rate-limit, counting on its own side: node server.mjs DIALECT LIMIT WINDOW_MS
import express from "express";
import { rateLimit } from "express-rate-limit";

const [dialect, limit, windowMs] = process.argv.slice(2);
const windows = new Map(); // reset time -> what the window that ends then let pass and refused

function count(request, what) {
  const reset = request.rateLimit.resetTime.getTime();
  const start = (reset - windowMs) / 1000;
  if (!windows.has(reset)) windows.set(reset, { start, accepted: 0, rejected: 0 });
  windows.get(reset)[what] += 1;
}

const limiter = rateLimit({
  windowMs: Number(windowMs),
  limit: Number(limit),
  standardHeaders: dialect === "legacy" ? false : dialect,
  legacyHeaders: dialect === "legacy",
  handler: (request, response) => {
    count(request, "rejected");
    response.status(429).send("Too many requests");
  },
});

const filling = "x".repeat(1000);
const app = express();
app.get("/_truth", (request, response) => {
  response.json([...windows.keys()].sort((a, b) => a - b).map((reset) => windows.get(reset)));
});
app.get("/users/:id.json", limiter, (request, response) => {
  count(request, "accepted");
  response.json({ id: Number(request.params.id), filling });
});
const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
