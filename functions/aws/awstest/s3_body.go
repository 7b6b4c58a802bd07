package awstest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	stdhash "hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
)

// s3Content is the body of a request, taken out of its transfer form and checked
// against everything that the request says of it.
type s3Content struct {
	data     []byte
	checksum s3Checksum
}

// s3Checksum is the header x-amz-checksum-… that an object was written with, or
// none.
type s3Checksum struct{ name, value string }

// s3MaxBody bounds what the emulator takes; the real limit of one PUT is 5 GiB.
const s3MaxBody = 64 << 20

func s3Body(r *http.Request) (s3Content, *s3Failure) {
	if r.Method != http.MethodPut {
		return s3Content{}, nil
	}
	if r.ContentLength < 0 {
		return s3Content{}, &s3Failure{status: 411, code: "MissingContentLength", message: "You must provide the Content-Length HTTP header."}
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, s3MaxBody+1))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(raw) > s3MaxBody {
		return s3Content{}, &s3Failure{status: 400, code: "EntityTooLarge", message: "Your proposed upload exceeds the maximum allowed size"}
	}
	if int64(len(raw)) != r.ContentLength {
		return s3Content{}, s3Incomplete()
	}
	said, trailer := r.Header.Get("X-Amz-Content-Sha256"), textproto.MIMEHeader{}
	if strings.HasPrefix(said, "STREAMING-") {
		var f *s3Failure
		if raw, trailer, f = s3Unchunk(raw, r.Header); f != nil {
			return s3Content{}, f
		}
	} else if said != "UNSIGNED-PAYLOAD" {
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != said {
			return s3Content{}, &s3Failure{status: 400, code: "XAmzContentSHA256Mismatch", message: "The provided 'x-amz-content-sha256' header does not match what was computed."}
		}
	}
	sum, f := s3Check(raw, r.Header, trailer)
	return s3Content{data: raw, checksum: sum}, f
}

// s3Unchunk takes apart the encoding aws-chunked with a trailer
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
func s3Unchunk(raw []byte, h http.Header) ([]byte, textproto.MIMEHeader, *s3Failure) {
	in := bufio.NewReader(bytes.NewReader(raw))
	var data []byte
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return nil, nil, s3Incomplete()
		}
		head, _, _ := strings.Cut(strings.TrimSuffix(line, "\r\n"), ";")
		size, err := strconv.ParseUint(head, 16, 31)
		if err != nil {
			return nil, nil, s3Incomplete()
		}
		if size == 0 {
			break
		}
		chunk := make([]byte, size+2)
		if _, err := io.ReadFull(in, chunk); err != nil || string(chunk[size:]) != "\r\n" {
			return nil, nil, s3Incomplete()
		}
		data = append(data, chunk[:size]...)
	}
	trailer, err := textproto.NewReader(in).ReadMIMEHeader()
	if err != nil {
		return nil, nil, s3Incomplete()
	}
	if h.Get("X-Amz-Decoded-Content-Length") != strconv.Itoa(len(data)) {
		return nil, nil, s3Incomplete()
	}
	if name := h.Get("X-Amz-Trailer"); name != "" && trailer.Get(name) == "" {
		return nil, nil, &s3Failure{status: 400, code: "MalformedTrailerError", message: "The request contained trailing data that was not well-formed or did not conform to our published schema."}
	}
	return data, trailer, nil
}

func s3Incomplete() *s3Failure {
	return &s3Failure{status: 400, code: "IncompleteBody", message: "You did not provide the number of bytes specified by the Content-Length HTTP header"}
}

// s3Check verifies the checksum that came in a header or trailer
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
func s3Check(data []byte, header http.Header, trailer textproto.MIMEHeader) (s3Checksum, *s3Failure) {
	for name, algorithm := range map[string]func() stdhash.Hash{
		"X-Amz-Checksum-Crc32":     func() stdhash.Hash { return crc32.NewIEEE() },
		"X-Amz-Checksum-Crc32c":    func() stdhash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"X-Amz-Checksum-Crc64nvme": func() stdhash.Hash { return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)) },
		"X-Amz-Checksum-Sha256":    sha256.New,
	} {
		said := header.Get(name)
		if said == "" {
			said = trailer.Get(name)
		}
		if said == "" {
			continue
		}
		h := algorithm()
		h.Write(data)
		if base64.StdEncoding.EncodeToString(h.Sum(nil)) != said {
			what := strings.ToUpper(strings.TrimPrefix(name, "X-Amz-Checksum-"))
			return s3Checksum{}, &s3Failure{status: 400, code: "BadDigest", message: fmt.Sprintf("The %s you specified did not match the calculated checksum.", what)}
		}
		return s3Checksum{name: name, value: said}, nil
	}
	return s3Checksum{}, nil
}
