// A back end as users write it: Go gin and golang-jwt. It checks a token for each request, runs the script and waits for its
// output, looks for the lock file with stat, and reads the log with tail. It gives the documented answers and records nothing.
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/golang-jwt/jwt"
)

type answer struct {
	Status  string  `json:"status"`
	Message string  `json:"message,omitempty"`
	Output  *string `json:"output,omitempty"`
	Log     *string `json:"log,omitempty"`
}

func require(name string) string {
	value := os.Getenv(name)
	if value == "" {
		fmt.Fprintf(os.Stderr, "%s is not set\n", name)
		os.Exit(78)
	}
	return value
}

// Accepts HS256 only, and only tokens that expire.
func checkToken(secret []byte) gin.HandlerFunc {
	parser := jwt.Parser{ValidMethods: []string{"HS256"}}
	key := func(*jwt.Token) (interface{}, error) { return secret, nil }
	return func(c *gin.Context) {
		claims := jwt.MapClaims{}
		text := strings.TrimPrefix(c.GetHeader("Authorization"), "Bearer ")
		if _, err := parser.ParseWithClaims(text, claims, key); err != nil || !claims.VerifyExpiresAt(time.Now().Unix(), true) {
			c.AbortWithStatusJSON(http.StatusUnauthorized, answer{Status: "error", Message: "Invalid token"})
			return
		}
		c.Set("claims", claims)
	}
}

func main() {
	script, lock, log := require("SYNC_SCRIPT_PATH"), require("SYNC_LOCK_PATH"), require("SYNC_LOG_PATH")
	content, err := os.ReadFile(require("JWT_SECRET_FILE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(78)
	}
	running := func() bool {
		_, err := os.Stat(lock)
		return err == nil
	}

	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.Use(gin.Recovery(), checkToken([]byte(strings.TrimSuffix(string(content), "\n"))))
	router.GET("/sync/status", func(c *gin.Context) {
		if running() {
			c.JSON(http.StatusOK, answer{Status: "running", Message: "Sync is currently running"})
		} else {
			c.JSON(http.StatusOK, answer{Status: "idle", Message: "No sync is currently running"})
		}
	})
	router.POST("/sync/run", func(c *gin.Context) {
		if running() {
			c.JSON(http.StatusConflict, answer{Status: "running", Message: "Sync is already running. Please wait for it to complete."})
			return
		}
		output, err := exec.Command(script).CombinedOutput()
		text := string(output)
		if err != nil {
			c.JSON(http.StatusInternalServerError, answer{Status: "error", Message: "Failed to execute sync script: " + err.Error(), Output: &text})
			return
		}
		c.JSON(http.StatusOK, answer{Status: "success", Message: "Sync script executed successfully", Output: &text})
	})
	router.GET("/sync/log", func(c *gin.Context) {
		output, err := exec.Command("tail", "-n", "100", log).Output()
		text := string(output)
		if err != nil {
			c.JSON(http.StatusInternalServerError, answer{Status: "error", Message: "Error reading log file"})
			return
		}
		c.JSON(http.StatusOK, answer{Status: "success", Log: &text})
	})

	address := "127.0.0.1:" + require("PORT")
	if certificate := os.Getenv("TLS_CERT_FILE"); certificate != "" {
		err = router.RunTLS(address, certificate, require("TLS_KEY_FILE"))
	} else {
		err = router.Run(address)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
