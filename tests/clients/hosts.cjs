// A hosts entry for one process: every connection goes to ONEBELL_AT (host:port), whatever name was asked for.
const http = require("node:http")
const net = require("node:net")

const [host, port] = process.env.ONEBELL_AT.split(":")
http.Agent.prototype.createConnection = (options, done) =>
  net.createConnection({ ...options, host, port: Number(port), path: undefined }, done)
