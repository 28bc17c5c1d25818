# A device by pymodbus 3.0 that is written to: outputs.py tcp PORT, or outputs.py
# rtu DEVICE. Unit 1 has coils, discrete inputs and holding registers, all 0.
import sys

from pymodbus.datastore import ModbusSequentialDataBlock, ModbusServerContext, ModbusSlaveContext
from pymodbus.server import StartSerialServer, StartTcpServer
from pymodbus.transaction import ModbusRtuFramer


def block():
    return ModbusSequentialDataBlock(0, [0] * 20)


unit = ModbusSlaveContext(co=block(), di=block(), hr=block(), ir=block(), zero_mode=True)
units = ModbusServerContext(slaves={1: unit}, single=False)
if sys.argv[1] == "tcp":
    StartTcpServer(context=units, address=("127.0.0.1", int(sys.argv[2])))
else:
    StartSerialServer(context=units, framer=ModbusRtuFramer, port=sys.argv[2], baudrate=9600, timeout=1)
