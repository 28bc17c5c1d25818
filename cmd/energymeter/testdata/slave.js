// A meter by modbus-serial: slave.js PORT. Unit 1 has floats in its input registers.
const { ServerTCP } = require("modbus-serial");
const table = Buffer.alloc(800);
for (const [at, value] of [[0x00, 229.7], [0x34, -812.25], [0x46, 49.98], [0x48, 4567.891], [0x4a, 77.75]]) {
  table.writeFloatBE(value, 2 * at);
}
new ServerTCP(
  { getInputRegister: (at) => table.readUInt16BE(2 * at), getHoldingRegister: () => 0 },
  { host: "127.0.0.1", port: Number(process.argv[2]), unitID: 1 },
);
