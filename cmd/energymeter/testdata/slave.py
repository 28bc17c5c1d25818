# A meter by pymodbus 3.0: slave.py tcp PORT, or slave.py rtu DEVICE. Unit 1 has
# floats in its input registers.
import struct
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer, StartTcpServer
from pymodbus.transaction import ModbusRtuFramer

table = [0] * 400
for at, value in {0x00: 229.7, 0x34: -812.25, 0x46: 49.98, 0x48: 4567.891, 0x4A: 77.75}.items():
    table[at:at + 2] = struct.unpack(">HH", struct.pack(">f", value))
unit = ModbusSlaveContext(ir=ModbusSequentialDataBlock(0, table), hr=ModbusSequentialDataBlock(0, [0] * 400), zero_mode=True)
units = ModbusServerContext(slaves={1: unit}, single=False)
if sys.argv[1] == "tcp":
    StartTcpServer(context=units, address=("127.0.0.1", int(sys.argv[2])))
else:
    StartSerialServer(context=units, framer=ModbusRtuFramer, port=sys.argv[2], baudrate=9600, timeout=1)
