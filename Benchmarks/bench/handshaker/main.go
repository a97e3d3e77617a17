// usage: handshaker URL CA CLIENTS SECONDS, with a token in BENCH_TOKEN
//
// Counts full TLS handshakes. Each client connects, completes the handshake, gets one answer of 200 and closes. The answer
// proves that the server completed the handshake too. TLS 1.3 only, and no client offers a session to resume.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strconv"
	"sync"
	"time"
)

type tally struct {
	times           []time.Duration
	failed, resumed int
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 5 {
		fail(fmt.Errorf("usage: handshaker URL CA CLIENTS SECONDS"))
	}
	target, err := url.Parse(os.Args[1])
	if err != nil {
		fail(err)
	}
	authority, err := os.ReadFile(os.Args[2])
	if err != nil {
		fail(err)
	}
	clients, _ := strconv.Atoi(os.Args[3])
	seconds, _ := strconv.Atoi(os.Args[4])
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) || clients < 1 || seconds < 1 {
		fail(fmt.Errorf("no certificate in %s, or no number above 0", os.Args[2]))
	}
	settings := &tls.Config{RootCAs: roots, ServerName: target.Hostname(), MinVersion: tls.VersionTLS13}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n",
		target.Path, target.Host, os.Getenv("BENCH_TOKEN"))

	tallies := make([]tally, clients)
	var group sync.WaitGroup
	begin := time.Now()
	end := begin.Add(time.Duration(seconds) * time.Second)
	for i := range tallies {
		group.Add(1)
		go func(counted *tally) {
			defer group.Done()
			for start := time.Now(); start.Before(end); start = time.Now() {
				resumed, err := shake(target.Host, settings, request)
				if err != nil {
					counted.failed++
				} else if resumed {
					counted.resumed++
				}
				counted.times = append(counted.times, time.Since(start))
			}
		}(&tallies[i])
	}
	group.Wait()
	report(tallies, time.Since(begin))
}

// One connection with one request; tells whether the session was resumed.
func shake(address string, settings *tls.Config, request string) (bool, error) {
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		return false, err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	secured := tls.Client(connection, settings)
	if _, err := secured.Write([]byte(request)); err != nil {
		return false, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(secured), nil)
	if err != nil {
		return false, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return false, fmt.Errorf("answered %d", answer.StatusCode)
	}
	return secured.ConnectionState().DidResume, nil
}

func report(tallies []tally, elapsed time.Duration) {
	var all tally
	for _, one := range tallies {
		all.times = append(all.times, one.times...)
		all.failed += one.failed
		all.resumed += one.resumed
	}
	sort.Slice(all.times, func(a, b int) bool { return all.times[a] < all.times[b] })
	at := func(percent int) int64 { return all.times[len(all.times)*percent/100].Microseconds() }
	fmt.Printf("{\"handshakes\":%d,\"microseconds\":%d,\"failed\":%d,\"resumed\":%d,\"p50\":%d,\"p99\":%d}\n",
		len(all.times), elapsed.Microseconds(), all.failed, all.resumed, at(50), at(99))
}
