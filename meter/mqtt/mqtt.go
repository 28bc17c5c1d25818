// Package mqtt reads meters that publish JSON to a broker. A mapping says where
// in a message the registers are. What is retained by the broker without a time
// of its own is not taken: nobody knows when it was true.
package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/energyd/energyd/meter/device"
)

// Mapping says where a topic's JSON holds a meter's values, as names joined by
// dots; an empty Export is 0, empty Power and Time are left out.
type Mapping struct {
	Topic, Import, Export, Power, Time string
	// KWh says that energies are in kWh, else in Wh.
	KWh    bool
	StepWh int64
}

// Options of a source.
type Options struct {
	// URL of the broker: tcp://HOST:PORT, or ssl:// with TLS.
	URL            string
	User, Password string
	Mapping        Mapping
	// MaxAge is how old the last message may be.
	MaxAge time.Duration
	Now    func() time.Time
}

// Source is one topic of a broker.
type Source struct {
	options Options
	client  paho.Client

	mu       sync.Mutex
	snapshot device.Snapshot
	err      error
}

var errNothingYet = errors.New("no message yet")

// CheckURL says whether text can be a broker's address.
func CheckURL(text string) error {
	parsed, err := url.Parse(text)
	if err != nil || parsed.Port() == "" || parsed.Scheme != "tcp" && parsed.Scheme != "ssl" || parsed.User != nil {
		return fmt.Errorf("expected tcp://HOST:PORT or ssl://HOST:PORT, got %q", text)
	}
	return nil
}

// Open subscribes. A broker that does not answer is tried again and again; until
// it does, reads fail.
func Open(o Options) (*Source, error) {
	if err := CheckURL(o.URL); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	s := &Source{options: o, err: errNothingYet}
	settings := paho.NewClientOptions().AddBroker(o.URL).SetCleanSession(true).SetOrderMatters(true).
		SetConnectRetry(true).SetConnectRetryInterval(2 * time.Second).SetMaxReconnectInterval(30 * time.Second).
		SetConnectTimeout(10 * time.Second).SetProtocolVersion(4).SetUsername(o.User).SetPassword(o.Password)
	settings.SetOnConnectHandler(s.subscribe)
	settings.SetConnectionNotificationHandler(func(_ paho.Client, n paho.ConnectionNotification) {
		if failed, ok := n.(paho.ConnectionNotificationFailed); ok {
			s.set(device.Snapshot{}, fmt.Errorf("the broker: %w", failed.Reason))
		}
	})
	settings.SetConnectionLostHandler(func(_ paho.Client, err error) { s.set(device.Snapshot{}, err) })
	s.client = paho.NewClient(settings)
	s.client.Connect()
	return s, nil
}

// refusedTopic is the broker's answer to a topic that it does not let one read.
const refusedTopic = 0x80

// subscribe asks for the topic on a connection that was just made.
func (s *Source) subscribe(c paho.Client) {
	topic := s.options.Mapping.Topic
	s.set(device.Snapshot{}, errNothingYet)
	token := c.Subscribe(topic, 1, s.receive)
	if !token.WaitTimeout(10 * time.Second) {
		return
	}
	subscribed, ok := token.(*paho.SubscribeToken)
	if err := token.Error(); err != nil || ok && subscribed.Result()[topic] == refusedTopic {
		s.set(device.Snapshot{}, fmt.Errorf("the broker does not let us read the topic %s", topic))
	}
}

// Close ends the subscription.
func (s *Source) Close() error {
	s.client.Disconnect(100)
	return nil
}

func (s *Source) receive(_ paho.Client, message paho.Message) {
	if message.Retained() && s.options.Mapping.Time == "" {
		return
	}
	s.set(s.options.Mapping.decode(message.Payload(), s.options.Now()))
}

func (s *Source) set(snapshot device.Snapshot, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshot, s.err = snapshot, err
}

// Read returns what the last message said. Junk is an error until a message
// that is right follows.
func (s *Source) Read(context.Context) (device.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		if known, ok := errors.AsType[*device.QualityError](s.err); ok {
			return device.Snapshot{Quality: known.Quality}, known
		}
		return device.Snapshot{Quality: device.Unreachable}, &device.QualityError{Quality: device.Unreachable, Err: s.err}
	}
	if age := s.options.Now().Sub(s.snapshot.At); age > s.options.MaxAge {
		return device.Snapshot{Quality: device.Stale}, &device.QualityError{
			Quality: device.Stale, Err: fmt.Errorf("topic %s: the last value is %v old, expected at most %v", s.options.Mapping.Topic, age.Round(time.Second), s.options.MaxAge),
		}
	}
	return s.snapshot, nil
}
