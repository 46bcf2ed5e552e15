// pulumi-language-python is a stand-in for Pulumi's Python language host, whose module the Go module proxy
// does not serve. tools/engine/install builds it beside a CLI that was itself built from Go modules; where
// the official CLI is installed, the official host runs instead.
//
// It does what running a program with pip takes and no more: it makes the virtual environment that Pulumi.yaml names
// and installs requirements.txt into it, as the official host does. No plugin is looked for, and neither poetry nor uv,
// pyenv or a type checker is known.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pulumi/pulumi/sdk/v3/go/common/util/rpcutil"
	"github.com/pulumi/pulumi/sdk/v3/go/common/version"
	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// exitMessageShown is how pulumi-language-python-exec says that the user has seen the error already.
const exitMessageShown = 32

// engineCheck is how often the host looks whether its engine is still there; it ends with it.
const engineCheck = 5 * time.Second

// programGrace is how long an interrupted program may take to end; the engine gives this host five seconds.
const programGrace = time.Second

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "pulumi-language-python: run by the Pulumi engine, with its address as the last argument")
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	engine := os.Args[len(os.Args)-1]
	err := rpcutil.Healthcheck(ctx, engine, engineCheck, stop)
	if err == nil {
		err = serve(ctx, engine)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pulumi-language-python:", err)
		os.Exit(1)
	}
}

// serve answers the engine until ctx ends, and prints its port as the first line of output.
func serve(ctx context.Context, engine string) error {
	cancel := make(chan bool)
	go func() {
		<-ctx.Done()
		close(cancel)
	}()
	handle, err := rpcutil.ServeWithOptions(rpcutil.ServeOptions{
		Cancel: cancel,
		Init: func(server *grpc.Server) error {
			pulumirpc.RegisterLanguageRuntimeServer(server, &host{stop: ctx, engine: engine})
			return nil
		},
	})
	if err != nil {
		return err
	}
	fmt.Println(handle.Port)
	return <-handle.Done
}

type host struct {
	pulumirpc.UnimplementedLanguageRuntimeServer
	stop   context.Context // done once the host is asked to end
	engine string          // address of the engine's gRPC server
}

func (h *host) Handshake(context.Context, *pulumirpc.LanguageHandshakeRequest) (*pulumirpc.LanguageHandshakeResponse, error) {
	return &pulumirpc.LanguageHandshakeResponse{}, nil
}

func (h *host) GetPluginInfo(context.Context, *emptypb.Empty) (*pulumirpc.PluginInfo, error) {
	return &pulumirpc.PluginInfo{Version: version.Version}, nil
}

func (h *host) GetRequiredPlugins(context.Context, *pulumirpc.GetRequiredPluginsRequest) (*pulumirpc.GetRequiredPluginsResponse, error) {
	return &pulumirpc.GetRequiredPluginsResponse{}, nil
}

// GetRequiredPackages names none, but is what the engine asks before anything else of an operation: here a missing
// virtual environment is made, and the engine shows how that goes.
func (h *host) GetRequiredPackages(ctx context.Context, req *pulumirpc.GetRequiredPackagesRequest) (*pulumirpc.GetRequiredPackagesResponse, error) {
	env, err := environmentOf(req.GetInfo())
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient(h.engine, grpc.WithTransportCredentials(insecure.NewCredentials()), rpcutil.GrpcChannelOptions())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := h.stopping(ctx)
	defer cancel()
	engine, stream := pulumirpc.NewEngineClient(conn), rand.Int31()
	info := &engineLog{ctx, engine, pulumirpc.LogSeverity_INFO, stream}
	failures := &engineLog{ctx, engine, pulumirpc.LogSeverity_ERROR, stream}
	if err := env.ensure(ctx, output{info, failures}); err != nil {
		return nil, err
	}
	return &pulumirpc.GetRequiredPackagesResponse{}, nil
}

func (h *host) GetProgramDependencies(context.Context, *pulumirpc.GetProgramDependenciesRequest) (*pulumirpc.GetProgramDependenciesResponse, error) {
	return &pulumirpc.GetProgramDependenciesResponse{}, nil
}

func (h *host) RuntimeOptionsPrompts(context.Context, *pulumirpc.RuntimeOptionsRequest) (*pulumirpc.RuntimeOptionsResponse, error) {
	return &pulumirpc.RuntimeOptionsResponse{}, nil
}

func (h *host) Cancel(context.Context, *emptypb.Empty) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

func (h *host) About(ctx context.Context, req *pulumirpc.AboutRequest) (*pulumirpc.AboutResponse, error) {
	env, err := environmentOf(req.GetInfo())
	if err != nil {
		return nil, err
	}
	python, err := env.python()
	if err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, python, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", python, err)
	}
	return &pulumirpc.AboutResponse{
		Executable: python,
		Version:    strings.TrimSpace(strings.TrimPrefix(string(out), "Python")),
	}, nil
}

// InstallDependencies is what "pulumi install" asks for.
func (h *host) InstallDependencies(req *pulumirpc.InstallDependenciesRequest, stream grpc.ServerStreamingServer[pulumirpc.InstallDependenciesResponse]) error {
	env, err := environmentOf(req.GetInfo())
	if err != nil {
		return err
	}
	closer, stdout, stderr, err := rpcutil.MakeInstallDependenciesStreams(stream, req.GetIsTerminal())
	if err != nil {
		return err
	}
	defer closer.Close()
	ctx, cancel := h.stopping(stream.Context())
	defer cancel()
	fmt.Fprint(stdout, "Installing dependencies...\n\n")
	if err := env.install(ctx, output{stdout, stderr}); err != nil {
		return err
	}
	fmt.Fprint(stdout, "Finished installing dependencies\n\n")
	return closer.Close()
}

// stopping is a context that ends with another one, or with the host.
func (h *host) stopping(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(h.stop, cancel)
	return ctx, cancel
}

// Run runs one program to its end.
func (h *host) Run(ctx context.Context, req *pulumirpc.RunRequest) (*pulumirpc.RunResponse, error) {
	cmd, cancel, err := h.program(ctx, req)
	if err != nil {
		return &pulumirpc.RunResponse{Error: err.Error()}, nil
	}
	defer cancel()
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}, nil
	case errors.As(err, &exit) && exit.ExitCode() == exitMessageShown:
		return &pulumirpc.RunResponse{Bail: true}, nil
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program ended with %s", exit.ProcessState)}, nil
	default:
		return &pulumirpc.RunResponse{Error: fmt.Sprintf("program could not be started: %v", err)}, nil
	}
}

// program is the command that runs the Python program; it is interrupted when ctx or the host ends.
func (h *host) program(ctx context.Context, req *pulumirpc.RunRequest) (*exec.Cmd, context.CancelFunc, error) {
	info := req.GetInfo()
	env, err := environmentOf(info)
	if err != nil {
		return nil, nil, err
	}
	if err := env.check(); err != nil {
		return nil, nil, err
	}
	python, err := env.python()
	if err != nil {
		return nil, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	config, err := configuration(req)
	if err != nil {
		return nil, nil, err
	}
	args := append([]string{
		"-u", filepath.Join(filepath.Dir(self), "pulumi-language-python-exec"),
		"--monitor", req.GetMonitorAddress(),
		"--engine", h.engine,
		"--project", req.GetProject(),
		"--root_directory", info.GetRootDirectory(),
		"--stack", req.GetStack(),
		"--pwd", req.GetPwd(),
		"--dry_run", strconv.FormatBool(req.GetDryRun()),
		"--parallel", strconv.Itoa(int(req.GetParallel())),
		"--organization", req.GetOrganization(),
		info.GetEntryPoint(),
	}, req.GetArgs()...)

	ctx, cancel := h.stopping(ctx)
	cmd := exec.CommandContext(ctx, python, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = programGrace
	cmd.Dir = info.GetProgramDirectory()
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(env.activated(), config...)
	return cmd, cancel, nil
}

// configuration is the stack's config in the variables that the SDK reads it from.
func configuration(req *pulumirpc.RunRequest) ([]string, error) {
	values, secretKeys := req.GetConfig(), req.GetConfigSecretKeys()
	if values == nil {
		values = map[string]string{} // the SDK cannot read null
	}
	if secretKeys == nil {
		secretKeys = []string{}
	}
	valuesJSON, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	secretKeysJSON, err := json.Marshal(secretKeys)
	if err != nil {
		return nil, err
	}
	return []string{"PULUMI_CONFIG=" + string(valuesJSON), "PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeysJSON)}, nil
}
