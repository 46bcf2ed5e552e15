package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"unicode/utf8"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// environment is the Python that a project asks for in Pulumi.yaml.
type environment struct {
	option  string // the virtualenv option, as it is written
	venv    string // its absolute path, relative to Pulumi.yaml's directory; empty for the machine's own Python
	program string // the program's directory, where requirements.txt is
}

// output is where a command's two streams go.
type output struct{ info, errors io.Writer }

func environmentOf(info *pulumirpc.ProgramInfo) (*environment, error) {
	options := info.GetOptions().AsMap()
	if toolchain, ok := options["toolchain"]; ok && toolchain != "pip" {
		return nil, fmt.Errorf("the stand-in language host knows the toolchain pip, not %v", toolchain)
	}
	found := &environment{program: info.GetProgramDirectory()}
	value, ok := options["virtualenv"]
	if !ok {
		return found, nil
	}
	if found.option, ok = value.(string); !ok {
		return nil, errors.New("virtualenv option must be a string")
	}
	found.venv = found.option
	if found.venv != "" && !filepath.IsAbs(found.venv) {
		found.venv = filepath.Join(info.GetRootDirectory(), found.venv)
	}
	return found, nil
}

// python is the interpreter that runs the program.
func (e *environment) python() (string, error) {
	if e.venv == "" {
		return machinesPython()
	}
	return filepath.Join(e.venv, "bin", "python"), nil
}

// machinesPython is the interpreter that makes virtual environments: PULUMI_PYTHON_CMD, else python3, else python.
func machinesPython() (string, error) {
	names := []string{"python3", "python"}
	if name := os.Getenv("PULUMI_PYTHON_CMD"); name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if python, err := exec.LookPath(name); err == nil {
			return python, nil
		}
	}
	return "", fmt.Errorf("none of %q is on PATH. Install Python 3.10 or newer", names)
}

// exists tells whether there is a Python in the virtual environment.
func (e *environment) exists() bool {
	info, err := os.Stat(filepath.Join(e.venv, "bin", "python"))
	return err == nil && !info.IsDir()
}

// check is what a program's run asks for.
func (e *environment) check() error {
	if e.venv == "" || e.exists() {
		return nil
	}
	return fmt.Errorf("the 'virtualenv' option in Pulumi.yaml is set to %q, but %s has no bin/python. Run: pulumi install",
		e.option, e.venv)
}

// ensure makes the virtual environment where it is missing, and installs into it what the program requires. One that
// holds something else is left alone.
func (e *environment) ensure(ctx context.Context, out output) error {
	if e.venv == "" || e.exists() {
		return nil
	}
	entries, err := os.ReadDir(e.venv)
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("the 'virtualenv' option in Pulumi.yaml is set to %q: %w", e.option, err)
	case len(entries) > 0:
		return nil
	}
	return e.install(ctx, out)
}

// install makes the virtual environment, or makes it new, and installs into it what the program requires.
func (e *environment) install(ctx context.Context, out output) error {
	if e.venv != "" {
		python, err := machinesPython()
		if err != nil {
			return err
		}
		fmt.Fprintln(out.info, "Creating virtual environment...")
		said, err := exec.CommandContext(ctx, python, "-m", "venv", e.venv).CombinedOutput()
		if err != nil {
			fmt.Fprintln(out.errors, string(said))
			return fmt.Errorf("creating virtual environment at '%s': %w", e.venv, err)
		}
		fmt.Fprintln(out.info, "Finished creating virtual environment")
	}
	fmt.Fprintln(out.info, "Updating pip, setuptools, and wheel in virtual environment...")
	if err := e.pip(ctx, out, "--upgrade", "pip", "setuptools", "wheel"); err != nil {
		return fmt.Errorf("updating pip, setuptools, and wheel: %w", err)
	}
	fmt.Fprintln(out.info, "Finished updating")
	if _, err := os.Stat(filepath.Join(e.program, "requirements.txt")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	fmt.Fprintln(out.info, "Installing dependencies in virtual environment...")
	if err := e.pip(ctx, out, "-r", "requirements.txt"); err != nil {
		return fmt.Errorf("installing dependencies: %w", err)
	}
	fmt.Fprintln(out.info, "Finished installing dependencies")
	return nil
}

// pip installs something. It runs in the program's directory, to which a path in requirements.txt is relative.
func (e *environment) pip(ctx context.Context, out output, args ...string) error {
	python, err := e.python()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, python, append([]string{"-m", "pip", "install"}, args...)...)
	cmd.Dir, cmd.Env = e.program, e.activated()
	cmd.Stdout, cmd.Stderr = out.info, out.errors
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("'%s': %w", strings.Join(cmd.Args, " "), err)
	}
	return nil
}

// activated is this process's environment as it is after the virtual environment's activation.
func (e *environment) activated() []string {
	if e.venv == "" {
		return os.Environ()
	}
	var kept []string
	for _, variable := range os.Environ() {
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "PATH", "PYTHONHOME", "VIRTUAL_ENV":
		default:
			kept = append(kept, variable)
		}
	}
	path := filepath.Join(e.venv, "bin") + string(os.PathListSeparator) + os.Getenv("PATH")
	return append(kept, "PATH="+path, "VIRTUAL_ENV="+e.venv)
}

// engineLog sends what is written to it to the engine, as ephemeral messages.
type engineLog struct {
	ctx      context.Context
	engine   pulumirpc.EngineClient
	severity pulumirpc.LogSeverity
	stream   int32
}

func (l *engineLog) Write(text []byte) (int, error) {
	message := string(text)
	if !utf8.Valid(text) {
		message = strings.ToValidUTF8(message, "\uFFFD")
	}
	_, err := l.engine.Log(l.ctx, &pulumirpc.LogRequest{
		Severity: l.severity, Message: message, StreamId: l.stream, Ephemeral: true,
	})
	if err != nil {
		return 0, err
	}
	return len(text), nil
}
