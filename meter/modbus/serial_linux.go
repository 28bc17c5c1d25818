package modbus

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

var speeds = map[int]uint32{
	1200: unix.B1200, 2400: unix.B2400, 4800: unix.B4800, 9600: unix.B9600,
	19200: unix.B19200, 38400: unix.B38400, 57600: unix.B57600, 115200: unix.B115200,
}

// openSerial opens a serial line for bytes as they are. The file is not
// blocking, so that reads obey deadlines; goburrow's own serial port would
// wait by select, which breaks above 1024 open files. What came before is
// thrown away.
func openSerial(a Address) (line, error) {
	file, err := os.OpenFile(a.Target, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	settings := unix.Termios{Cflag: unix.CS8 | unix.CREAD | unix.CLOCAL | speeds[a.Baud]}
	settings.Ispeed, settings.Ospeed = speeds[a.Baud], speeds[a.Baud]
	settings.Cc[unix.VMIN] = 1
	switch a.Parity {
	case 'O':
		settings.Cflag |= unix.PARENB | unix.PARODD
		settings.Iflag |= unix.INPCK
	case 'E':
		settings.Cflag |= unix.PARENB
		settings.Iflag |= unix.INPCK
	}
	if a.StopBits == 2 {
		settings.Cflag |= unix.CSTOPB
	}
	if err := onFile(file, func(fd int) error {
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, &settings); err != nil {
			return fmt.Errorf("%s is no serial line: %w", a.Target, err)
		}
		return unix.IoctlSetInt(fd, unix.TCFLSH, unix.TCIOFLUSH)
	}); err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

// onFile calls f with the file's descriptor and leaves the file as it is;
// File.Fd would make it blocking.
func onFile(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
