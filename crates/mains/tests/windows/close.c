/* Closes the window of all mains.exe, as far as they notice: has them run what Windows runs in a process whose window was closed. */
#include <windows.h>
#include <tlhelp32.h>
#include <string.h>

int main(void)
{
    HMODULE library = GetModuleHandleA("kernelbase.dll");
    FARPROC routine = GetProcAddress(library, "CtrlRoutine");
    HANDLE processes = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    PROCESSENTRY32 entry = { .dwSize = sizeof entry };
    int closed = 0;
    if (!routine)
        return 2;
    for (BOOL more = Process32First(processes, &entry); more; more = Process32Next(processes, &entry)) {
        if (_stricmp(entry.szExeFile, "mains.exe"))
            continue;
        HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, entry.th32ProcessID);
        if (process && CreateRemoteThread(process, NULL, 0, (LPTHREAD_START_ROUTINE)routine, (LPVOID)CTRL_CLOSE_EVENT, 0, NULL))
            closed++;
    }
    return closed ? 0 : 1;
}
