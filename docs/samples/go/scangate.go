// ScanGate from Go 1.19 or newer, with nothing but its standard library.
//
//	go run scangate.go order p1      place an order of 21.00 HKD and print where it is paid
//	go run scangate.go query p1      how it stands
//	go run scangate.go notice 9000   take notices at http://127.0.0.1:9000/notify
//	go run scangate.go sign FILE…    the signature of each file's bytes
//
// Who you are is in the environment: SHOP_BASE_URL, SHOP_PARTNER_NO, SHOP_STORE_NO, SHOP_SIGN_KEY and, for orders
// whose payment is to be told, SHOP_NOTIFY_URL.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"regexp"
	"time"
)

// Answer is what we read of a body. What a body does not hold stays zero.
type Answer struct {
	Code           int    `json:"code"`
	Msg            string `json:"msg"`
	PayURL         string `json:"payUrl"`
	Status         int    `json:"status"`
	PartnerOrderNo string `json:"partnerOrderNo"`
	OrderAmount    int64  `json:"orderAmount"`
	Currency       string `json:"currency"`
}

// region sign

// sign is the lower-case hex of SHA-256 over the text and, behind it, the sign key.
func sign(text []byte) string {
	hash := sha256.New()
	hash.Write(text)
	hash.Write([]byte(os.Getenv("SHOP_SIGN_KEY")))
	return hex.EncodeToString(hash.Sum(nil))
}

// seal makes a request as it travels. What is signed are the very bytes that are sent.
func seal(body any) ([]byte, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	header := map[string]string{
		"version":   "1.0",
		"partnerNo": os.Getenv("SHOP_PARTNER_NO"),
		"reqMsgId":  hex.EncodeToString(id),
		"reqTime":   time.Now().Format(time.RFC3339),
		"signType":  "SHA256",
	}
	text, err := json.Marshal(map[string]any{"header": header, "body": body})
	if err != nil {
		return nil, err
	}
	return []byte(fmt.Sprintf(`{"request":%s,"signature":"%s"}`, text, sign(text))), nil
}

// endregion

// region verify

var form = regexp.MustCompile(`(?s)\A\{"response":(.*),"signature":"([0-9a-f]{64})"\}\z`)

// unseal gives the body of an answer or a notice, if it is signed with our key.
func unseal(document []byte) (answer Answer, err error) {
	found := form.FindSubmatch(document)
	if found == nil || subtle.ConstantTimeCompare([]byte(sign(found[1])), found[2]) != 1 {
		return answer, errors.New("this is not signed with our key")
	}
	signed := struct {
		Body *Answer `json:"body"`
	}{&answer}
	return answer, json.Unmarshal(found[1], &signed)
}

// endregion

// region call

// call sends one request and gives the answer's body, whatever its code says. An error means that there is no
// answer: query the order before anything else.
func call(path string, body any) (answer Answer, err error) {
	document, err := seal(body)
	if err != nil {
		return answer, err
	}
	client := http.Client{Timeout: 45 * time.Second}
	reply, err := client.Post(os.Getenv("SHOP_BASE_URL")+path, "application/json", bytes.NewReader(document))
	if err != nil {
		return answer, err
	}
	defer reply.Body.Close()
	document, err = io.ReadAll(reply.Body)
	if err != nil {
		return answer, err
	}
	return unseal(document)
}

// endregion

// region order

func order(number string) (Answer, error) {
	content := map[string]any{
		"storeNo":        os.Getenv("SHOP_STORE_NO"),
		"partnerOrderNo": number,
		"wallet":         "Alipay",
		"currency":       "HKD",
		"orderAmount":    2100, // 21.00 HKD
		"orderTitle":     "拉麵 & café",
	}
	if notifyURL := os.Getenv("SHOP_NOTIFY_URL"); notifyURL != "" {
		content["notifyUrl"] = notifyURL
	}
	return call("/api/offline/qrcode", content)
}

func query(number string) (Answer, error) {
	return call("/api/common/payQuery", map[string]string{"partnerOrderNo": number})
}

// endregion

// region notice

func notice(reply http.ResponseWriter, request *http.Request) {
	document, err := io.ReadAll(http.MaxBytesReader(reply, request.Body, 64<<10))
	if err != nil {
		http.Error(reply, "not read", http.StatusBadRequest)
		return
	}
	paid, err := unseal(document)
	if err != nil {
		http.Error(reply, "not ours", http.StatusBadRequest)
		return
	}
	// Compare amount and currency with the order in your books, and mark it paid once: the same notice may come
	// again. Say `success` only when that is stored.
	fmt.Println("paid", paid.PartnerOrderNo, paid.OrderAmount, paid.Currency)
	io.WriteString(reply, "success")
}

// endregion

func show(answer Answer, err error, field string, value any) {
	if err != nil {
		log.Fatal(err)
	}
	if answer.Code != 1 {
		log.Fatalf("code %d: %s", answer.Code, answer.Msg)
	}
	fmt.Println(field, value)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("order NUMBER, query NUMBER, notice PORT or sign FILE…")
	}
	command, rest := os.Args[1], os.Args[2:]
	switch command {
	case "order":
		answer, err := order(rest[0])
		show(answer, err, "payUrl", answer.PayURL)
	case "query":
		answer, err := query(rest[0])
		show(answer, err, "status", answer.Status)
	case "notice":
		log.Fatal(http.ListenAndServe("127.0.0.1:"+rest[0], http.HandlerFunc(notice)))
	case "sign":
		for _, file := range rest {
			text, err := os.ReadFile(file)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(sign(text))
		}
	default:
		log.Fatalf("there is no command %s", command)
	}
}
