; Installer for Windows, for one user, without administrator rights. Compiled by windows_installer.py, which says VERSION, PAYLOAD (folder
; of the frozen program), OUTPUT, ICON, KILOBYTES and REMOVALS (a list of every file, so that the uninstaller removes those and no others).
;   setup.exe /S            installs without asking        /D=C:\folder (last, without quotes) chooses the folder
;   uninstall.exe /S        removes without asking
; Exit codes: 0 done, 1 cancelled by the user, 2 refused (a program is running, Windows is too old).
Target "${TARGET}"
ManifestDPIAware true
ManifestLongPathAware true
ManifestSupportedOS all
RequestExecutionLevel user
SetCompressor /SOLID lzma
SetCompressorDictSize 64
!include MUI2.nsh
!include WinVer.nsh
!include x64.nsh
!include FileFunc.nsh

!define NAME "cnnpredict"
!define GUI "cnnpredict-gui.exe"
!define CLI "cnnpredict.exe"
!define UNINSTALL_KEY "Software\Microsoft\Windows\CurrentVersion\Uninstall\${NAME}"
!define CLASSES "Software\Classes"
!define SESSION_CLASS "cnnpredict.session"
!define ONNX_CLASS "cnnpredict.onnx"

Name "${NAME} ${VERSION}"
OutFile "${OUTPUT}"
InstallDir "$LOCALAPPDATA\Programs\${NAME}"
InstallDirRegKey HKCU "${UNINSTALL_KEY}" "InstallLocation"
BrandingText "${NAME} ${VERSION}"
VIProductVersion "${NUMBERS}"
VIAddVersionKey /LANG=1033 ProductName "${NAME}"
VIAddVersionKey /LANG=1033 ProductVersion "${VERSION}"
VIAddVersionKey /LANG=1033 FileVersion "${VERSION}"
VIAddVersionKey /LANG=1033 FileDescription "${NAME} setup"
VIAddVersionKey /LANG=1033 CompanyName "${PUBLISHER}"
VIAddVersionKey /LANG=1033 LegalCopyright "MIT licence"

!define MUI_ICON "${ICON}"
!define MUI_UNICON "${ICON}"
!define MUI_FINISHPAGE_RUN "$INSTDIR\${GUI}"
!define MUI_FINISHPAGE_RUN_TEXT "Start ${NAME}"
!insertmacro MUI_PAGE_LICENSE "${LICENSE}"
!insertmacro MUI_PAGE_DIRECTORY
!insertmacro MUI_PAGE_INSTFILES
!insertmacro MUI_PAGE_FINISH
!define MUI_UNCONFIRMPAGE_TEXT_TOP "${NAME} is removed. Settings, models and logs of your own stay, in $LOCALAPPDATA\${NAME}."
!insertmacro MUI_UNPAGE_CONFIRM
!insertmacro MUI_UNPAGE_INSTFILES
!insertmacro MUI_LANGUAGE "English"

; Says what is wrong (also to a silent run, by exit code 2) and ends.
!macro Refuse TEXT
  MessageBox MB_OK|MB_ICONEXCLAMATION "${TEXT}" /SD IDOK
  SetErrorLevel 2
  Abort
!macroend

; A program that runs keeps its files open: replacing half of them would break it.
!macro RefuseWhileRunning PROGRAM
  ${If} ${FileExists} "$INSTDIR\${PROGRAM}"
    ClearErrors
    FileOpen $0 "$INSTDIR\${PROGRAM}" a
    ${If} ${Errors}
      !insertmacro Refuse "${PROGRAM} is running. Close it and try again."
    ${EndIf}
    FileClose $0
  ${EndIf}
!macroend

Function .onInit
  ${IfNot} ${RunningX64}
    !insertmacro Refuse "${NAME} needs a 64-bit Windows."
  ${EndIf}
  ; Qt 6.10 starts on no older one.
  ${IfNot} ${AtLeastBuild} 17763
    !insertmacro Refuse "${NAME} needs Windows 10, version 1809, or newer."
  ${EndIf}
FunctionEnd

Section "Program"
  !insertmacro RefuseWhileRunning "${GUI}"
  !insertmacro RefuseWhileRunning "${CLI}"
  ; An older version goes first, so that none of its files stays.
  ReadRegStr $1 HKCU "${UNINSTALL_KEY}" "InstallLocation"
  ${If} $1 != ""
  ${AndIf} ${FileExists} "$1\uninstall.exe"
    ExecWait '"$1\uninstall.exe" /S _?=$1' $0
    ${If} $0 != 0
      !insertmacro Refuse "The installed version could not be removed. Close ${NAME} and try again."
    ${EndIf}
    Delete "$1\uninstall.exe"
    RMDir "$1"
  ${EndIf}
  SetOutPath "$INSTDIR"
  File /r "${PAYLOAD}${SEPARATOR}*"
  WriteUninstaller "$INSTDIR\uninstall.exe"

  ; Where programs that are started from the menu, or from the last page, look for files at first.
  SetOutPath "$PROFILE"
  CreateDirectory "$SMPROGRAMS\${NAME}"
  CreateShortcut "$SMPROGRAMS\${NAME}\${NAME}.lnk" "$INSTDIR\${GUI}"
  CreateShortcut "$SMPROGRAMS\${NAME}\${NAME} command line.lnk" "$SYSDIR\cmd.exe" '/K "set PATH=$INSTDIR;%PATH%& cnnpredict --help"' "$INSTDIR\${GUI}"
  CreateShortcut "$SMPROGRAMS\${NAME}\Uninstall ${NAME}.lnk" "$INSTDIR\uninstall.exe"

  ; Sessions are opened by a double click; ONNX files offer the program under "Open with" and keep what opened them before.
  WriteRegStr HKCU "${CLASSES}\.cnnpredict" "" "${SESSION_CLASS}"
  WriteRegStr HKCU "${CLASSES}\.cnnpredict" "Content Type" "application/x-cnnpredict"
  WriteRegStr HKCU "${CLASSES}\${SESSION_CLASS}" "" "CNNPredict session"
  WriteRegStr HKCU "${CLASSES}\${SESSION_CLASS}\DefaultIcon" "" "$INSTDIR\${GUI},0"
  WriteRegStr HKCU "${CLASSES}\${SESSION_CLASS}\shell\open\command" "" '"$INSTDIR\${GUI}" "%1"'
  WriteRegStr HKCU "${CLASSES}\.onnx\OpenWithProgids" "${ONNX_CLASS}" ""
  WriteRegStr HKCU "${CLASSES}\${ONNX_CLASS}" "" "ONNX model"
  WriteRegStr HKCU "${CLASSES}\${ONNX_CLASS}\DefaultIcon" "" "$INSTDIR\${GUI},0"
  WriteRegStr HKCU "${CLASSES}\${ONNX_CLASS}\shell\open\command" "" '"$INSTDIR\${GUI}" "%1"'
  WriteRegStr HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\${GUI}" "" "$INSTDIR\${GUI}"
  WriteRegStr HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\${CLI}" "" "$INSTDIR\${CLI}"

  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayName" "${NAME}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "DisplayIcon" "$INSTDIR\${GUI}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "Publisher" "${PUBLISHER}"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKCU "${UNINSTALL_KEY}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKCU "${UNINSTALL_KEY}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "EstimatedSize" ${KILOBYTES}
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoModify" 1
  WriteRegDWORD HKCU "${UNINSTALL_KEY}" "NoRepair" 1
  ${RefreshShellIcons}
SectionEnd

Section "Uninstall"
  !insertmacro RefuseWhileRunning "${GUI}"
  !insertmacro RefuseWhileRunning "${CLI}"
  !include "${REMOVALS}"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  Delete "$SMPROGRAMS\${NAME}\${NAME}.lnk"
  Delete "$SMPROGRAMS\${NAME}\${NAME} command line.lnk"
  Delete "$SMPROGRAMS\${NAME}\Uninstall ${NAME}.lnk"
  RMDir "$SMPROGRAMS\${NAME}"

  ReadRegStr $0 HKCU "${CLASSES}\.cnnpredict" ""
  ${If} $0 == "${SESSION_CLASS}"
    DeleteRegKey HKCU "${CLASSES}\.cnnpredict"
  ${EndIf}
  DeleteRegKey HKCU "${CLASSES}\${SESSION_CLASS}"
  DeleteRegValue HKCU "${CLASSES}\.onnx\OpenWithProgids" "${ONNX_CLASS}"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.onnx\OpenWithProgids"
  DeleteRegKey /ifempty HKCU "${CLASSES}\.onnx"
  DeleteRegKey HKCU "${CLASSES}\${ONNX_CLASS}"
  DeleteRegKey HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\${GUI}"
  DeleteRegKey HKCU "Software\Microsoft\Windows\CurrentVersion\App Paths\${CLI}"
  DeleteRegKey HKCU "${UNINSTALL_KEY}"
  ${RefreshShellIcons}
SectionEnd
